/**
 * The graph of 32-bit words that a kernel becomes before instructions are chosen.
 *
 * Nodes are pure and hash-consed. A node's scope is the deepest scope among its arguments: 0 for what
 * depends on the iteration alone, k + 1 for axis k, further ones for loops. Placing each node in its scope
 * is all there is to hoisting: row maxima and loop invariants leave the inner loops by themselves.
 */
import type { WordOp } from "../legalize/legalize.ts";
import { foldOp, type Interval, intervalOf } from "./fold.ts";

/** Index of a node. */
export type Id = number;

/** Scope 0: before the axes. */
export const ROOT = 0;

/** How a load moves bytes into a register. */
export type LoadName = "lb" | "lbu" | "lh" | "lhu" | "lw";

/** One summand of an address: a node times a constant number of bytes. */
export interface Term {
  readonly node: Id;
  readonly scale: number;
}

/** A sum of terms and a constant, modulo 2^32. */
export interface Linear {
  readonly terms: readonly Term[];
  readonly offset: number;
}

export type Node =
  | { readonly kind: "const"; readonly value: number }
  | { readonly kind: "axis"; readonly axis: number }
  | { readonly kind: "iteration" }
  | { readonly kind: "op"; readonly op: WordOp; readonly args: readonly Id[] }
  | { readonly kind: "load"; readonly name: LoadName; readonly at: Linear }
  /** A loop's turn number (carry -1, from 0) or a carried word, inside the loop's scope. */
  | { readonly kind: "phi"; readonly scope: number; readonly carry: number }
  | LoopNode
  /** The carried word after the loop. */
  | { readonly kind: "result"; readonly loop: Id; readonly carry: number }
  /** A register that starts at `base` and grows by `stride` each turn. */
  | {
    readonly kind: "pointer";
    readonly scope: number;
    readonly base: Id;
    readonly stride: number;
  };

export interface LoopNode {
  readonly kind: "loop";
  readonly scope: number;
  /** Number of turns; not above 0 means none. */
  readonly count: Id;
  /** Static upper bound of the count. */
  readonly bound: number;
  readonly inits: readonly Id[];
  readonly nexts: readonly Id[];
  readonly phis: readonly Id[];
  readonly turn: Id;
}

interface Scope {
  /** Grows along every chain of nested scopes. */
  readonly depth: number;
  parent: number;
  /** The loop whose body this is; absent for the root and the axes. */
  loop?: Id;
  /** Scopes of what the body takes from outside. */
  free: Set<number>;
}

/** Elements along one axis that are computed together. */
export interface Block {
  readonly axis: number;
  readonly size: number;
}

/** Builder and owner of the nodes. */
export class Graph {
  readonly nodes: Node[] = [];
  readonly scopes: Scope[] = [];
  /** Scope of each node. */
  readonly scopeOf: number[] = [];
  /** Signed interval that each node's value is known to lie in. */
  readonly intervals: Interval[] = [];
  readonly #known = new Map<string, Id>();
  readonly #constants = new Map<number, Id>();
  /** What operations came to, folded or not, by their arguments. */
  readonly #operations = new Map<WordOp, Map<number | string, Id>>();
  #current: number;

  /** `axes`: sizes of the result's axes; the index of the block's axis is a multiple of the block's size. */
  constructor(
    readonly axes: readonly number[],
    readonly block: Block = { axis: -1, size: 1 },
  ) {
    for (let depth = 0; depth <= axes.length; depth++) {
      this.scopes.push({ depth, parent: depth - 1, free: new Set() });
    }
    this.#current = axes.length;
  }

  /** Number of axis scopes and the root. */
  get axisScopes(): number {
    return this.axes.length + 1;
  }

  constant(value: number): Id {
    value |= 0;
    let id = this.#constants.get(value);
    if (id === undefined) {
      id = this.#add({ kind: "const", value }, ROOT);
      this.#constants.set(value, id);
    }
    return id;
  }

  constantOf(id: Id): number | undefined {
    const node = this.nodes[id];
    return node.kind === "const" ? node.value : undefined;
  }

  axis(axis: number): Id {
    if (this.axes[axis] === 1) return this.constant(0);
    return this.#intern(`x${axis}`, { kind: "axis", axis }, axis + 1);
  }

  iteration(): Id {
    return this.#intern("i", { kind: "iteration" }, ROOT);
  }

  op(op: WordOp, ...args: Id[]): Id {
    const known = this.#operations.get(op) ?? new Map<number | string, Id>();
    this.#operations.set(op, known);
    // Numbers as keys where they are exact: most operations are asked for many times by unrolled code.
    const key = args.length <= 2 && args[0] < 2 ** 26
      ? args[0] * 2 ** 26 + (args[1] ?? 0)
      : args.join(" ");
    let id = known.get(key);
    if (id === undefined) {
      id = foldOp(this, op, args) ?? this.#operation(op, args);
      known.set(key, id);
    }
    return id;
  }

  #operation(op: WordOp, args: readonly Id[]): Id {
    const scope = this.#deepest(args.map((a) => this.scopeOf[a]));
    return this.#add({ kind: "op", op, args }, scope);
  }

  load(name: LoadName, at: Linear): Id {
    const scope = this.#deepest(at.terms.map((t) => this.scopeOf[t.node]));
    const key = at.terms.map((t) => `${t.node}*${t.scale}`).join(" ");
    return this.#intern(`${name} ${at.offset} ${key}`, {
      kind: "load",
      name,
      at,
    }, scope);
  }

  pointer(scope: number, base: Id, stride: number): Id {
    const node = { kind: "pointer", scope, base, stride } as const;
    return this.#intern(`p ${scope} ${base} ${stride}`, node, scope);
  }

  /** The words carried out of a loop of `count` turns; `body` gets the turn number and the words. */
  loop(
    count: Id,
    bound: number,
    inits: readonly Id[],
    body: (turn: Id, carried: Id[]) => readonly Id[],
  ): Id[] {
    const turns = this.constantOf(count);
    if (turns !== undefined && turns <= 0) return [...inits];
    if (turns !== undefined) bound = turns;
    const scope = this.scopes.length;
    const lexical = this.#current;
    this.scopes.push({
      depth: this.scopes[lexical].depth + 1,
      parent: lexical,
      free: new Set(),
    });
    const phi = (carry: number) =>
      this.#add({ kind: "phi", scope, carry }, scope, {
        min: carry < 0 ? 0 : -0x8000_0000,
        max: carry < 0 ? Math.max(bound - 1, 0) : 0x7fff_ffff,
      });
    const turn = phi(-1);
    const phis = inits.map((_, i) => phi(i));
    this.#current = scope;
    const nexts = body(turn, phis);
    this.#current = lexical;
    const own = this.scopes[scope];
    for (const id of [count, ...inits, ...nexts]) {
      this.#use(own, scope, this.scopeOf[id]);
    }
    own.parent = this.#deepest([...own.free]);
    for (const free of own.free) {
      this.#use(this.scopes[own.parent], own.parent, free);
    }
    const loop = this.#add(
      {
        kind: "loop",
        scope,
        count,
        bound,
        inits,
        nexts,
        phis,
        turn,
      },
      own.parent,
    );
    own.loop = loop;
    return inits.map((_, carry) =>
      this.#add({ kind: "result", loop, carry }, own.parent)
    );
  }

  #use(user: Scope, own: number, scope: number): void {
    if (scope !== own && user.loop === undefined) user.free.add(scope);
  }

  #deepest(scopes: readonly number[]): number {
    let best = ROOT;
    for (const scope of scopes) {
      if (this.scopes[scope].depth > this.scopes[best].depth) best = scope;
    }
    return best;
  }

  #intern(key: string, node: Node, scope: number): Id {
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const id = this.#add(node, scope);
    this.#known.set(key, id);
    return id;
  }

  #add(node: Node, scope: number, interval?: Interval): Id {
    const id = this.nodes.push(node) - 1;
    this.scopeOf.push(scope);
    this.intervals.push(interval ?? intervalOf(this, node));
    const args = node.kind === "op"
      ? node.args
      : node.kind === "load"
      ? node.at.terms.map((t) => t.node)
      : node.kind === "pointer"
      ? [node.base]
      : [];
    const own = this.scopes[scope];
    for (const arg of args) this.#use(own, scope, this.scopeOf[arg]);
    return id;
  }
}
