/**
 * The CPU executor: kernels as WebAssembly over one linear memory that holds constants and slots.
 *
 * With one thread everything runs here; with more, workers share the memory and each node is forked and
 * joined through a control block (measured: 2.4 us by Atomics.wait, 40 us by messages). How the work is
 * cut never changes a byte. The memory is 32-bit: models above 4 GiB need another device.
 */
import { byteLength, type Model } from "../compiler/mod.ts";
import { ChainLearnError } from "../fpvm/mod.ts";
import { CONTROL, MemoryPlan } from "./cpu_memory.ts";
import { type Assignment, compilePrograms } from "./cpu_programs.ts";
import {
  type Device,
  type Executor,
  executorOf,
  type SlotSet,
} from "./executor.ts";
import { executorOfBody } from "./single_phase.ts";
import { type Job, workerMain, type WorkerStart } from "./worker.ts";

export interface CpuOptions {
  /** Threads that compute, this one included; default 1. */
  readonly threads?: number;
  /** Use the plain dot product alone, whatever a probe says; default false. */
  readonly plain?: boolean;
}

const PAGE = 65536;
const MAX_PAGES = 65536;
/** Operations below which a node is not worth cutting, nor waking threads for. */
const FORK_WORK = 200_000;
/** Looks at the others' state before this thread sleeps, about 0.1 ms. */
const JOIN_LOOKS = 50_000;
/** Parts of a node for each thread: who is held up by other work on the machine takes fewer. */
const PARTS = 8;
/**
 * Parts of a long node's first run on one thread. V8 starts in baseline code and replaces a function
 * between two calls, never in the middle of one; its flags cannot be set from inside the program.
 */
const FIRST_PARTS = 32;

/** Compiles a model's kernels and starts its threads. */
export async function createCpuExecutor(
  model: Model,
  options: CpuOptions = {},
): Promise<Executor> {
  if (model.body) {
    return executorOfBody(model, await createCpuExecutor(model.body, options));
  }
  const { threads = 1, plain } = options;
  if (!Number.isInteger(threads) || threads < 1 || threads > 256) {
    throw new ChainLearnError(
      `Cannot run "${model.name}": expected 1 to 256 threads, found ${threads}`,
    );
  }
  const shared = threads > 1;
  const assignments = await compilePrograms(model, { shared, plain });
  const cpu = new Cpu(model, assignments, threads);
  await cpu.startWorkers();
  return executorOf(model, cpu);
}

/** Copies that a node needs before it runs, as [from, to, bytes]. */
type Copy = readonly [from: number, to: number, bytes: number];

class Cpu implements Device {
  readonly name = "cpu";
  readonly planned: NonNullable<Device["planned"]>;
  readonly #model: Model;
  readonly #threads: number;
  readonly #memory: WebAssembly.Memory;
  readonly #bytes: Uint8Array;
  readonly #control: Int32Array;
  readonly #plan: MemoryPlan;
  readonly #modules: WebAssembly.Module[] = [];
  readonly #runs: ((...args: number[]) => void)[] = [];
  /** By program. */
  readonly #hasRun: boolean[] = [];
  /** By node: with slots as planned, then with slots apart, where these have room. */
  readonly #jobs: Job[] = [];
  readonly #copies: Copy[][] = [];
  readonly #forked: boolean[] = [];
  readonly #apart?: SlotSet;
  #workers: Worker[] = [];

  constructor(
    model: Model,
    assignments: readonly Assignment[],
    threads: number,
  ) {
    this.#model = model;
    this.#threads = threads;
    const plan = this.#plan = new MemoryPlan(model, assignments, threads);
    const hasApart = plan.end <= PAGE * (MAX_PAGES - 1);
    this.#memory = newMemory(
      model,
      hasApart ? plan.end : plan.plannedEnd,
      threads > 1,
    );
    this.#bytes = new Uint8Array(this.#memory.buffer);
    this.#control = new Int32Array(this.#memory.buffer, CONTROL, 16);
    plan.fill(this.#bytes);
    const imports = { env: { memory: this.#memory } };
    for (const { program: { number, module } } of assignments) {
      if (this.#modules[number]) continue;
      const { run } = new WebAssembly.Instance(module, imports).exports;
      this.#modules[number] = module;
      this.#runs[number] = run as (...args: number[]) => void;
    }
    this.planned = {
      plan: plan.plan,
      ...this.#slotSet(plan.planned, assignments),
    };
    if (hasApart) this.#apart = this.#slotSet(plan.apart, assignments);
  }

  /** Prepares every node for slots at these addresses. */
  #slotSet(
    addresses: readonly number[],
    assignments: readonly Assignment[],
  ): SlotSet {
    const first = this.#jobs.length;
    assignments.forEach((assignment, node) =>
      this.#prepare(node, assignment, addresses)
    );
    return {
      slots: this.#model.slots.map(({ type }, i) =>
        new Uint8Array(this.#memory.buffer, addresses[i], byteLength(type))
      ),
      runNode: (node, iteration) => this.#runJob(first + node, iteration),
    };
  }

  get #set(): SlotSet {
    if (this.#apart) return this.#apart;
    throw tooLarge(this.#model, this.#plan.end);
  }

  get slots(): readonly Uint8Array[] {
    return this.#set.slots;
  }

  runNode(node: number, iteration: number): void {
    this.#set.runNode(node, iteration);
  }

  /** Decides a node's addresses and what must be copied first. */
  #prepare(
    index: number,
    { program, work }: Assignment,
    slots: readonly number[],
  ): void {
    const plan = this.#plan;
    const node = this.#model.nodes[index];
    const kernel = this.#model.kernels[node.kernel];
    const { units, grain, inPlace } = program.kernel;
    const result = slots[node.result];
    const length = byteLength(this.#model.slots[node.result].type);
    const copies: Copy[] = [];
    const addresses = node.operands.map((_, i) => {
      const at = plan.addressOf(slots, index, i);
      // A node that reads the slot it writes reads the old tensor: from a copy, unless it may not notice.
      if (at !== result || i === inPlace) return at;
      if (copies.length === 0) copies.push([result, plan.scratch, length]);
      return plan.scratch;
    });
    if (kernel.update) {
      const old = plan.addressOf(slots, index, kernel.update.operand);
      if (old !== result) copies.push([old, result, length]);
    }
    const isForked = this.#threads > 1 && work >= FORK_WORK && units > grain;
    const parts = isForked
      ? PARTS * this.#threads
      : work >= FORK_WORK
      ? FIRST_PARTS
      : 1;
    this.#jobs.push({
      kernel: program.number,
      addresses: [...addresses, result],
      units,
      part: Math.max(1, Math.ceil(units / parts / grain)) * grain,
    });
    this.#copies.push(copies);
    this.#forked.push(isForked);
  }

  async startWorkers(): Promise<void> {
    const text = `(${workerMain})()`;
    const url = URL.createObjectURL(
      new Blob([text], { type: "text/javascript" }),
    );
    try {
      const ready = Array.from({ length: this.#threads - 1 }, (_, i) => {
        const start: WorkerStart = {
          memory: this.#memory,
          control: CONTROL,
          modules: this.#modules,
          jobs: this.#jobs,
          scratch: this.#plan.threads[i + 1],
        };
        const worker = new Worker(url, { type: "module" });
        this.#workers.push(worker);
        return new Promise<void>((resolve, reject) => {
          worker.onmessage = () => resolve();
          worker.onerror = (event) => {
            event.preventDefault();
            reject(
              new ChainLearnError(
                `Cannot start a thread: expected it to answer, found ${event.message}`,
                { exitCode: 3 },
              ),
            );
          };
          worker.postMessage(start);
        });
      });
      await Promise.all(ready);
    } catch (error) {
      for (const worker of this.#workers) worker.terminate();
      throw error;
    } finally {
      URL.revokeObjectURL(url);
    }
  }

  #runJob(job: number, iteration: number): void {
    for (const [from, to, bytes] of this.#copies[job]) {
      this.#bytes.copyWithin(to, from, from + bytes);
    }
    if (this.#forked[job]) this.#fork(job, iteration);
    else {
      const { kernel, addresses, units, part } = this.#jobs[job];
      const [own] = this.#plan.threads;
      const step = this.#hasRun[kernel] ? Math.max(units, 1) : part;
      this.#hasRun[kernel] = true;
      for (let begin = 0; begin < units; begin += step) {
        const end = Math.min(units, begin + step);
        this.#runs[kernel](...addresses, iteration, begin, end, own);
      }
    }
  }

  #fork(job: number, iteration: number): void {
    const words = this.#control;
    const { kernel, addresses, units, part } = this.#jobs[job];
    const [own] = this.#plan.threads;
    words[1] = job;
    words[2] = iteration;
    Atomics.store(words, 3, Math.ceil(units / part));
    Atomics.add(words, 0, 1);
    Atomics.notify(words, 0);
    for (let left; (left = Atomics.sub(words, 3, 1)) > 0;) {
      const begin = (left - 1) * part;
      const end = Math.min(units, begin + part);
      this.#runs[kernel](...addresses, iteration, begin, end, own);
    }
    this.#join();
    if (Atomics.load(words, 5) !== 0) {
      throw new ChainLearnError(
        `Cannot run node "${
          this.#model.nodes[job % this.#model.nodes.length].name
        }": expected every thread to finish, found one that failed`,
        { exitCode: 3 },
      );
    }
  }

  /** Waits for parts that others have taken; they mostly end within one part's time. */
  #join(): void {
    const words = this.#control;
    for (let i = 0; i < JOIN_LOOKS && Atomics.load(words, 4) !== 0; i++);
    // A thread that has lost its core may get the one that looking would keep.
    for (let busy; (busy = Atomics.load(words, 4)) !== 0;) {
      Atomics.wait(words, 4, busy);
    }
  }

  close(): void {
    if (this.#workers.length === 0) return;
    this.#control[1] = -1;
    Atomics.add(this.#control, 0, 1);
    Atomics.notify(this.#control, 0);
    for (const worker of this.#workers) worker.terminate();
    this.#workers = [];
  }
}

function newMemory(
  model: Model,
  bytes: number,
  shared: boolean,
): WebAssembly.Memory {
  const pages = Math.ceil(bytes / PAGE);
  if (pages >= MAX_PAGES) throw tooLarge(model, bytes);
  return new WebAssembly.Memory({ initial: pages, maximum: pages, shared });
}

function tooLarge(model: Model, bytes: number): ChainLearnError {
  return new ChainLearnError(
    `Cannot run "${model.name}" on the CPU: expected at most 4 GiB of tensors, found ${bytes} bytes`,
    { exitCode: 3 },
  );
}
