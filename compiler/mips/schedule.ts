/**
 * Puts the live nodes of a graph in order: one list per scope, each in evaluation order.
 *
 * Also settles what each loop carries (dead carries are dropped) and which pointers it advances, and
 * counts uses. Nothing here knows registers.
 */
import { type Address, placeAddresses } from "./address.ts";
import type { Graph, Id, LoopNode } from "./graph.ts";

/** What a loop keeps in registers from turn to turn. */
export interface LoopPlan {
  readonly id: Id;
  readonly node: LoopNode;
  /** Numbers of the carried words that matter, ascending. */
  readonly carries: readonly number[];
  readonly pointers: Id[];
  /** The turn number is needed as a value. */
  turnUsed: boolean;
}

export interface Schedule {
  readonly graph: Graph;
  /** Nodes to compute, by scope. */
  readonly lists: ReadonlyMap<number, readonly Id[]>;
  readonly loops: ReadonlyMap<Id, LoopPlan>;
  readonly addresses: ReadonlyMap<Id, Address>;
  /** How many times a node's value is read. */
  readonly uses: ReadonlyMap<Id, number>;
  /** Position of the last reader in the node's own scope; Infinity if it must outlive the list. */
  readonly lastUse: ReadonlyMap<Id, number>;
  readonly position: ReadonlyMap<Id, number>;
}

/** Schedules what the roots need. */
export function schedule(graph: Graph, roots: readonly Id[]): Schedule {
  const live = findLive(graph, roots);
  const addresses = placeAddresses(graph, live.loads);
  const scheduler = new Scheduler(graph, live.carries, addresses);
  for (const root of roots) scheduler.visit(root);
  const { lists, loops } = scheduler;
  const position = new Map<Id, number>();
  for (const list of lists.values()) {
    list.forEach((id, i) => position.set(id, i));
  }
  const plan = { graph, lists, loops, addresses, position };
  return { ...plan, ...countUses(plan, roots) };
}

interface Live {
  readonly loads: Id[];
  /** Live carries of each loop. */
  readonly carries: Map<Id, Set<number>>;
}

function findLive(graph: Graph, roots: readonly Id[]): Live {
  const seen = new Set<Id>();
  const loads: Id[] = [];
  const carries = new Map<Id, Set<number>>();
  const pending = [...roots];
  const keep = (loop: Id, carry: number) => {
    const kept = carries.get(loop) ?? new Set();
    carries.set(loop, kept);
    if (kept.has(carry)) return;
    kept.add(carry);
    const node = graph.nodes[loop] as LoopNode;
    pending.push(loop, node.inits[carry], node.nexts[carry]);
  };
  while (pending.length > 0) {
    const id = pending.pop()!;
    const node = graph.nodes[id];
    if (node.kind === "phi") {
      if (node.carry >= 0) keep(graph.scopes[node.scope].loop!, node.carry);
      continue;
    }
    if (node.kind === "result") {
      keep(node.loop, node.carry);
      continue;
    }
    if (seen.has(id)) continue;
    seen.add(id);
    if (node.kind === "op") pending.push(...node.args);
    if (node.kind === "loop") pending.push(node.count);
    if (node.kind === "load") {
      loads.push(id);
      pending.push(...node.at.terms.map((t) => t.node));
    }
  }
  return { loads: loads.sort((a, b) => a - b), carries };
}

class Scheduler {
  readonly lists = new Map<number, Id[]>();
  readonly loops = new Map<Id, LoopPlan>();
  readonly #done = new Set<Id>();

  constructor(
    readonly graph: Graph,
    readonly carries: ReadonlyMap<Id, Set<number>>,
    readonly addresses: ReadonlyMap<Id, Address>,
  ) {}

  visit(id: Id): void {
    if (this.#done.has(id)) return;
    this.#done.add(id);
    const node = this.graph.nodes[id];
    switch (node.kind) {
      case "const":
      case "axis":
      case "iteration":
        return;
      case "phi":
        if (node.carry < 0) this.#planOf(node.scope).turnUsed = true;
        return;
      case "result":
        return this.visit(node.loop);
      case "pointer":
        this.visit(node.base);
        this.#planOf(node.scope).pointers.push(id);
        return;
      case "op":
        node.args.forEach((a) => this.visit(a));
        break;
      case "load":
        this.visit(this.addresses.get(id)!.base);
        break;
      case "loop": {
        const { carries } = this.#plan(id);
        this.visit(node.count);
        carries.forEach((c) => this.visit(node.inits[c]));
        carries.forEach((c) => this.visit(node.nexts[c]));
        break;
      }
      default:
        return node satisfies never;
    }
    const scope = this.graph.scopeOf[id];
    const list = this.lists.get(scope);
    if (list) list.push(id);
    else this.lists.set(scope, [id]);
  }

  #planOf(scope: number): LoopPlan {
    return this.#plan(this.graph.scopes[scope].loop!);
  }

  #plan(id: Id): LoopPlan {
    let plan = this.loops.get(id);
    if (!plan) {
      const carries = [...this.carries.get(id)!].sort((a, b) => a - b);
      plan = {
        id,
        node: this.graph.nodes[id] as LoopNode,
        carries,
        pointers: [],
        turnUsed: false,
      };
      this.loops.set(id, plan);
    }
    return plan;
  }
}

type Plan = Omit<Schedule, "uses" | "lastUse">;

function countUses(
  plan: Plan,
  roots: readonly Id[],
): Pick<Schedule, "uses" | "lastUse"> {
  const { graph, position } = plan;
  const uses = new Map<Id, number>();
  const lastUse = new Map<Id, number>();
  /** `from`: the scope and the position in its list where the value is read. */
  const use = (id: Id, scope: number, at: number) => {
    uses.set(id, (uses.get(id) ?? 0) + 1);
    const own = graph.scopeOf[id];
    while (scope !== own) {
      const { parent, loop } = graph.scopes[scope];
      // A value of the root or an axis is read again for every later element.
      if (loop === undefined) {
        at = Infinity;
        break;
      }
      at = position.get(loop)!;
      scope = parent;
    }
    lastUse.set(id, Math.max(lastUse.get(id) ?? -1, at));
  };
  for (const [scope, list] of plan.lists) {
    list.forEach((id, at) => {
      const node = graph.nodes[id];
      if (node.kind === "op") node.args.forEach((a) => use(a, scope, at));
      if (node.kind === "load") use(plan.addresses.get(id)!.base, scope, at);
      if (node.kind !== "loop") return;
      const loop = plan.loops.get(id)!;
      use(node.count, scope, at);
      for (const carry of loop.carries) {
        use(node.inits[carry], scope, at);
        use(node.nexts[carry], node.scope, Infinity);
      }
      for (const pointer of loop.pointers) {
        const base = graph.nodes[pointer];
        if (base.kind === "pointer") use(base.base, scope, at);
      }
    });
  }
  for (const root of roots) use(root, graph.axisScopes - 1, Infinity);
  return { uses, lastUse };
}
