/**
 * Counts the steps of a leaf program from its regions: exact for every leaf, since code is branch-free
 * but for loops. A loop whose count is computed takes its bound.
 */
import { elementCount, type Kernel } from "../ir.ts";
import type { Item, Part } from "./code.ts";
import { elementsPerLeaf, type LeafParts } from "./leaf.ts";

/** Beyond this many leaves, and without a shorter period, the bound counts every axis' worst apart. */
const MOST_LEAVES = 1 << 20;

/** Steps of the dearest leaf, given the final code. */
export function worstSteps(
  kernel: Kernel,
  parts: LeafParts,
  items: readonly Item[],
): number {
  const total = elementCount(kernel.result.shape);
  const perLeaf = elementsPerLeaf(kernel);
  const leaves = Math.ceil(total / perLeaf);
  const count = new StepCount(parts, items);
  let worst = count.past();
  if (leaves > MOST_LEAVES) return Math.max(worst, count.bound(perLeaf));
  for (let leaf = 0; leaf < leaves; leaf++) {
    const first = leaf * perLeaf;
    const steps = count.of(first, Math.min(first + perLeaf, total));
    if (steps > worst) worst = steps;
  }
  return worst;
}

/** Steps of code that runs from its first part to its last. */
export function countSteps(
  parts: readonly Part[],
  items: readonly Item[],
): number {
  const none = { start: [], exit: [], levels: [], run: [], element: [] };
  return new StepCount({ ...none, entry: parts, block: 1 }, items).past();
}

/** Steps of a program that computes the whole result, given the final code. */
export function wholeSteps(
  kernel: Kernel,
  parts: LeafParts,
  items: readonly Item[],
): number {
  return new StepCount(parts, items).of(0, elementCount(kernel.result.shape));
}

class StepCount {
  readonly #instructions = new Map<number, number>();
  readonly #fixed: number;
  readonly #past: number;
  readonly #element: number;
  readonly #block: number;
  readonly #run: number;
  /** Elements of the innermost axis. */
  readonly #inner: number;
  /** Per axis longer than 1: elements per index value, steps of values and of the advance. */
  readonly #levels: { span: number; values: number; advance: number }[];

  constructor(parts: LeafParts, items: readonly Item[]) {
    for (const item of items) {
      if ("mark" in item) continue;
      const known = this.#instructions.get(item.region) ?? 0;
      this.#instructions.set(item.region, known + 1);
    }
    this.#past = this.#sum(parts.entry) + this.#sum(parts.exit);
    this.#fixed = this.#past + this.#sum(parts.start);
    this.#element = this.#sum(parts.element);
    this.#block = parts.block;
    this.#run = this.#sum(parts.run);
    this.#inner = parts.levels.at(-1)?.size ?? 1;
    let span = 1;
    this.#levels = parts.levels.toReversed().map((level) => {
      const found = {
        span,
        values: this.#sum(level.values),
        advance: this.#sum(level.advance),
      };
      span *= level.size;
      return found;
    });
  }

  #sum(parts: readonly Part[]): number {
    return parts.reduce(
      (steps, part) =>
        steps +
        ("region" in part
          ? this.#instructions.get(part.region) ?? 0
          : part.count * this.#sum(part.body)),
      0,
    );
  }

  #elements(count: number): number {
    return count / this.#block * this.#element;
  }

  /** A leaf past the result's end. */
  past(): number {
    return this.#past;
  }

  /** The leaf of elements first .. end - 1. */
  of(first: number, end: number): number {
    const runs = Math.floor((end - 1) / this.#inner) -
      Math.floor(first / this.#inner) + 1;
    let steps = this.#fixed + this.#elements(end - first) + runs * this.#run;
    for (const { span, values, advance } of this.#levels) {
      const turns = Math.floor((end - 1) / span) - Math.floor(first / span);
      steps += (turns + 1) * values + turns * advance;
    }
    return steps;
  }

  /** An upper bound for any leaf of so many elements. */
  bound(elements: number): number {
    const runs = Math.ceil((elements - 1) / this.#inner) + 1;
    let steps = this.#fixed + this.#elements(elements) + runs * this.#run;
    for (const { span, values, advance } of this.#levels) {
      const turns = Math.ceil((elements - 1) / span);
      steps += (turns + 1) * values + turns * advance;
    }
    return steps;
  }
}

/** How often each region runs, about, to weigh registers by. */
export function frequencies(parts: LeafParts): (region: number) => number {
  const found = new Map<number, number>();
  const visit = (list: readonly Part[], times: number) => {
    for (const part of list) {
      if ("region" in part) found.set(part.region, times);
      else visit(part.body, times * Math.max(part.count, 1));
    }
  };
  [parts.entry, parts.start, parts.exit].forEach((list) => visit(list, 1));
  visit(parts.run, 4);
  for (const level of parts.levels) {
    visit(level.values, 4);
    visit(level.advance, 4);
  }
  visit(parts.element, 32 / parts.block);
  return (region) => found.get(region) ?? 1;
}
