/**
 * The thread of the CPU executor: waits in shared memory for a node and takes parts of its result.
 *
 * `workerMain` is started from its own text in a blob, so that it needs no file beside a bundled program;
 * therefore it refers to nothing outside itself but types. Words of the control block: 0 epoch, 1 job
 * (-1 ends the thread), 2 iteration, 3 parts left, 4 threads at work, 5 a part failed.
 *
 * A node is over when no part is left and no thread is at work. So a thread first counts itself in, then
 * takes a part, and only then reads which job it is: parts are left only while that job cannot end. A
 * thread that wakes too late finds none, and nobody has waited for it.
 */

/** One node as threads see it. */
export interface Job {
  /** Index into the kernels' modules. */
  readonly kernel: number;
  /** Addresses of the operands, then of the result. */
  readonly addresses: readonly number[];
  readonly units: number;
  /** Units taken at a time. */
  readonly part: number;
}

/** What a thread gets once, at its start. */
export interface WorkerStart {
  readonly memory: WebAssembly.Memory;
  /** Byte address of the control block. */
  readonly control: number;
  readonly modules: readonly WebAssembly.Module[];
  readonly jobs: readonly Job[];
  /** Byte address of memory that is this thread's alone. */
  readonly scratch: number;
}

/** Body of the thread; answers "ready" to its one message and then obeys the control block. */
export function workerMain(): void {
  const scope = self as unknown as {
    onmessage: (event: { data: WorkerStart }) => void;
    postMessage: (message: string) => void;
    close: () => void;
  };
  scope.onmessage = ({ data }) => {
    const { memory, control, modules, jobs, scratch } = data;
    const words = new Int32Array(memory.buffer, control, 16);
    const runs = modules.map((module) =>
      new WebAssembly.Instance(module, { env: { memory } }).exports
        .run as (...args: number[]) => void
    );
    const work = () => {
      for (let left; (left = Atomics.sub(words, 3, 1)) > 0;) {
        const { kernel, addresses, units, part } = jobs[words[1]];
        const end = Math.min(units, left * part);
        runs[kernel](...addresses, words[2], (left - 1) * part, end, scratch);
      }
    };
    let epoch = Atomics.load(words, 0);
    scope.postMessage("ready");
    for (;;) {
      // The next node mostly comes at once, the next run soon: about 0.1 ms of looking saves a wake-up,
      // which costs six times a look and, on a busy machine, a turn in the scheduler's queue.
      for (let i = 0; i < 50000 && Atomics.load(words, 0) === epoch; i++);
      Atomics.wait(words, 0, epoch);
      const now = Atomics.load(words, 0);
      if (now === epoch) continue;
      epoch = now;
      if (Atomics.load(words, 1) < 0) break;
      Atomics.add(words, 4, 1);
      try {
        work();
      } catch {
        Atomics.store(words, 5, 1);
      }
      if (Atomics.sub(words, 4, 1) === 1) Atomics.notify(words, 4);
    }
    scope.close();
  };
}
