/**
 * Finds sums of products that can stay in the machine's HI/LO accumulator: one madd per product.
 *
 * Only the low word is taken of i32 sums, so their wrap is exact whatever HI holds; i64 sums of wide
 * products carry both words. A chain qualifies when nothing else needs HI/LO between its first and its
 * last product. Chains run through a loop, through nests of loops that pass one accumulator on, or
 * through straight code.
 */
import type { Graph, Id, Node } from "./graph.ts";
import type { Schedule } from "./schedule.ts";

/** What an addition of an accumulated chain does. */
export interface Mac {
  /** Factors of the product it adds. */
  readonly factors: readonly [Id, Id];
  /** Set on the first addition of straight code: the value, or the product, that the sum starts from. */
  readonly start?: { readonly product: readonly [Id, Id] } | {
    readonly value: Id;
  };
  /** Set on the last addition of straight code: the sum is moved to a register. */
  readonly finish: boolean;
}

export interface Accumulators {
  readonly macs: ReadonlyMap<Id, Mac>;
  /** What is computed inside a mac: products, and the high words of wide sums. */
  readonly fused: ReadonlySet<Id>;
  /** Loop and carry ("id.carry") that live in HI/LO. */
  readonly carried: ReadonlySet<string>;
  /** Those of them that begin and end there, and in which half. */
  readonly outermost: ReadonlyMap<string, "lo" | "hi">;
}

/** Name of a loop's carried word in {@linkcode Accumulators}. */
export function carryName(loop: Id, carry: number): string {
  return `${loop}.${carry}`;
}

/** Chooses the chains of a schedule, loops first. */
export function findAccumulators(plan: Schedule): Accumulators {
  const finder = new Finder(plan);
  for (let scope = 0; scope < plan.graph.axisScopes; scope++) {
    finder.loops(scope);
  }
  for (const [scope, list] of plan.lists) finder.straight(scope, list);
  return finder;
}

const CLOBBERS: ReadonlySet<string> = new Set([
  "mulh_s",
  "mulh_u",
  "i32.div_s",
  "i32.div_u",
  "i32.rem_s",
  "i32.rem_u",
]);

/** A chain that may still turn out not to qualify. */
interface Draft {
  readonly macs: [Id, Mac][];
  readonly carried: string[];
}

class Finder implements Accumulators {
  readonly macs = new Map<Id, Mac>();
  readonly fused = new Set<Id>();
  readonly carried = new Set<string>();
  readonly outermost = new Map<string, "lo" | "hi">();
  /** Scopes whose code must not touch HI/LO otherwise. */
  readonly #busy = new Set<number>();
  readonly #graph: Graph;

  constructor(readonly plan: Schedule) {
    this.#graph = plan.graph;
  }

  #node(id: Id): Node {
    return this.#graph.nodes[id];
  }

  #once(id: Id): boolean {
    return this.plan.uses.get(id) === 1;
  }

  /** The parts of acc + a * b, where only this addition reads the product. */
  #split(id: Id): { acc: Id; product: Id; factors: [Id, Id] } | undefined {
    const node = this.#node(id);
    if (node.kind !== "op" || node.op !== "i32.add") return undefined;
    for (const [acc, product] of [node.args, node.args.toReversed()]) {
      const mul = this.#node(product);
      if (
        mul.kind === "op" && mul.op === "i32.mul" && this.#once(product) &&
        this.#graph.scopeOf[product] === this.#graph.scopeOf[id]
      ) {
        return { acc, product, factors: [mul.args[0], mul.args[1]] };
      }
    }
    return undefined;
  }

  // --- loops -------------------------------------------------------------------------------------------

  /** Looks at the loops of a scope, and inside those that do not qualify. */
  loops(scope: number): void {
    for (const id of this.plan.lists.get(scope) ?? []) {
      const plan = this.plan.loops.get(id);
      if (!plan) continue;
      const inner = plan.node.scope;
      if (!this.#tryLoop(id)) this.loops(inner);
    }
  }

  #tryLoop(id: Id): boolean {
    const { carries, node } = this.plan.loops.get(id)!;
    if (this.#tryWide(id)) return true;
    if (this.#clobbers(node.scope)) return false;
    for (const carry of carries) {
      const draft: Draft = { macs: [], carried: [] };
      if (!this.#carries(id, carry, draft)) continue;
      for (const [add, mac] of draft.macs) {
        this.macs.set(add, mac);
        this.fused.add(this.#split(add)!.product);
      }
      draft.carried.forEach((name) => this.carried.add(name));
      this.outermost.set(carryName(id, carry), "lo");
      this.#occupy(node.scope);
      return true;
    }
    return false;
  }

  /** Two carries that are the words of one sum of wide products, and nothing else in the loop. */
  #tryWide(id: Id): boolean {
    const { carries, node } = this.plan.loops.get(id)!;
    for (const low of carries) {
      const high = low + 1;
      if (!carries.includes(high)) continue;
      const macs: [Id, Mac][] = [];
      const fused = new Set<Id>();
      let [lo, hi] = [node.nexts[low], node.nexts[high]];
      for (;;) {
        const step = this.#splitWide(lo, hi, node.scope);
        if (!step) break;
        macs.push([lo, { factors: step.factors, finish: false }]);
        step.fused.forEach((inner) => fused.add(inner));
        [lo, hi] = step.acc;
      }
      const [phiLow, phiHigh] = [node.phis[low], node.phis[high]];
      if (macs.length === 0 || lo !== phiLow || hi !== phiHigh) continue;
      if (!this.#once(phiLow) || !this.#once(phiHigh)) continue;
      if (this.#clobbers(node.scope, fused)) continue;
      macs.forEach(([add, mac]) => this.macs.set(add, mac));
      fused.forEach((inner) => this.fused.add(inner));
      for (const [carry, half] of [[low, "lo"], [high, "hi"]] as const) {
        this.carried.add(carryName(id, carry));
        this.outermost.set(carryName(id, carry), half);
      }
      this.#occupy(node.scope);
      return true;
    }
    return false;
  }

  /** The parts of [lo, hi] = acc + a * b as `legalize.ts` adds pairs, where nothing else reads them. */
  #splitWide(lo: Id, hi: Id, scope: number) {
    const args = (id: Id, op: string, uses: number) => {
      const node = this.#node(id);
      return node.kind === "op" && node.op === op &&
          this.#graph.scopeOf[id] === scope && this.plan.uses.get(id) === uses
        ? node.args
        : undefined;
    };
    const low = args(lo, "i32.add", 2);
    const high = args(hi, "i32.add", 1);
    const inner = high && args(high[0], "i32.add", 1);
    const carry = high && args(high[1], "i32.lt_u", 1);
    const product = low && args(low[1], "i32.mul", 2);
    const top = inner && args(inner[1], "mulh_s", 1);
    if (!low || !inner || !carry || !product || !top) return undefined;
    const fits = carry[0] === lo && carry[1] === low[1] &&
      product[0] === top[0] && product[1] === top[1];
    if (!fits) return undefined;
    return {
      acc: [low[0], inner[0]] as [Id, Id],
      factors: [product[0], product[1]] as const,
      fused: [hi, ...high, low[1], inner[1]],
    };
  }

  /** Whether the carried word is only ever added to by products. */
  #carries(loop: Id, carry: number, draft: Draft): boolean {
    const { node } = this.plan.loops.get(loop)!;
    const phi = node.phis[carry];
    const next = node.nexts[carry];
    if (next === phi || !this.#once(phi)) return false;
    draft.carried.push(carryName(loop, carry));
    return this.#chain(next, phi, node.scope, draft);
  }

  /** Whether `id` is `phi` plus products, all in this scope or in loops of it. */
  #chain(id: Id, phi: Id, scope: number, draft: Draft): boolean {
    while (id !== phi) {
      if (this.#graph.scopeOf[id] !== scope || !this.#once(id)) return false;
      const node = this.#node(id);
      if (node.kind === "result") {
        if (!this.#carries(node.loop, node.carry, draft)) return false;
        id = this.plan.loops.get(node.loop)!.node.inits[node.carry];
        continue;
      }
      const parts = this.#split(id);
      if (!parts) return false;
      draft.macs.push([id, { factors: parts.factors, finish: false }]);
      id = parts.acc;
    }
    return true;
  }

  #clobbers(scope: number, except?: ReadonlySet<Id>): boolean {
    return (this.plan.lists.get(scope) ?? []).some((id) => {
      const node = this.#node(id);
      if (except?.has(id)) return false;
      if (node.kind === "loop") return this.#clobbers(node.scope);
      return node.kind === "op" && CLOBBERS.has(node.op);
    });
  }

  #occupy(scope: number): void {
    this.#busy.add(scope);
    for (const id of this.plan.lists.get(scope) ?? []) {
      const node = this.#node(id);
      if (node.kind === "loop") this.#occupy(node.scope);
    }
  }

  // --- straight code -----------------------------------------------------------------------------------

  /** Takes chains of at least three products in straight code, where HI/LO is free in between. */
  straight(scope: number, list: readonly Id[]): void {
    if (this.#busy.has(scope)) return;
    let free = 0;
    const position = (id: Id) => this.plan.position.get(id)!;
    const tops = list.filter((id) => this.#split(id));
    const inner = new Set(tops.map((id) => this.#split(id)!.acc));
    for (const top of tops) {
      if (inner.has(top) && this.#once(top)) continue;
      const adds = [top];
      let { acc } = this.#split(top)!;
      while (
        this.#split(acc) && this.#once(acc) &&
        this.#graph.scopeOf[acc] === scope
      ) {
        adds.unshift(acc);
        acc = this.#split(acc)!.acc;
      }
      const from = position(adds[0]);
      const to = position(top);
      if (adds.length < 3 || from < free) continue;
      const blocked = list.slice(from, to).some((id) => {
        const node = this.#node(id);
        return node.kind === "loop" ||
          (node.kind === "op" && CLOBBERS.has(node.op));
      });
      if (blocked) continue;
      free = to + 1;
      this.#take(adds, acc);
    }
  }

  #take(adds: readonly Id[], acc: Id): void {
    adds.forEach((id, i) => {
      const { product, factors } = this.#split(id)!;
      this.fused.add(product);
      this.macs.set(id, {
        factors,
        finish: i === adds.length - 1,
        ...(i === 0 ? { start: this.#start(acc, id) } : {}),
      });
    });
  }

  #start(acc: Id, first: Id): NonNullable<Mac["start"]> {
    const node = this.#node(acc);
    if (
      node.kind === "op" && node.op === "i32.mul" && this.#once(acc) &&
      this.#graph.scopeOf[acc] === this.#graph.scopeOf[first]
    ) {
      this.fused.add(acc);
      return { product: [node.args[0], node.args[1]] };
    }
    return { value: acc };
  }
}
