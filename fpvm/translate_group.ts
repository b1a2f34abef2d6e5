/**
 * What is known of a group of blocks before its code is written: its structure, where steps are counted, and the
 * registers it uses. Everything here is data; translate_function.ts writes the code.
 */

import {
  type Block,
  blockLength,
  bodyEnd,
  type ControlInstruction,
  exitsOf,
  type StraightInstruction,
  targetOf,
} from "./translate_blocks.ts";
import {
  countSteps,
  type FlowGraph,
  type Part,
  type StepCount,
  type Structure,
  structureOf,
} from "./translate_graph.ts";
import { registersOf } from "./translate_instructions.ts";

const instructionsOf = (
  { body, control }: Block,
): (StraightInstruction | ControlInstruction)[] =>
  control ? [...body, control.instruction, control.slot] : [...body];

/** What is known of a group before its code is written. */
export class Group {
  readonly indexOf: ReadonlyMap<number, number>;
  readonly structure: Structure;
  readonly steps: StepCount;
  /** Registers by number, without 0. */
  readonly used: readonly number[];
  readonly written: readonly number[];
  readonly usesHiLo: boolean;

  constructor(readonly blocks: readonly Block[], entries: ReadonlySet<number>) {
    this.indexOf = new Map(blocks.map(({ start }, i) => [start, i]));
    const index = (pc: number) => this.indexOf.get(pc);
    const isIndex = (i: number | undefined): i is number => i !== undefined;
    const graph: FlowGraph = {
      successors: blocks.map((block) =>
        exitsOf(block).map(index).filter(isIndex)
      ),
      entries: new Set([...entries].map(index).filter(isIndex)),
    };
    this.structure = structureOf(graph);
    const order = this.structure.parts.flatMap(orderOf);
    this.steps = countSteps(
      graph,
      order,
      blocks.map(blockLength),
      (from, to) => this.edgeSteps(from, blocks[to].start),
    );
    const all = blocks.flatMap(instructionsOf);
    const registers = all.map(registersOf);
    const distinct = (numbers: number[]) =>
      [...new Set(numbers)].filter((n) => n !== 0).sort((a, b) => a - b);
    this.used = distinct(registers.flatMap((r) => r.all));
    this.written = distinct(registers.flatMap((r) => r.written));
    this.usesHiLo = all.some(({ kind }) => kind === "multiply");
  }

  /** Steps of a block when control goes on to `to`: a likely branch that is not taken skips its delay slot. */
  edgeSteps(from: number, to: number): number {
    const block = this.blocks[from];
    const length = blockLength(block);
    const instruction = block.control?.instruction;
    return instruction?.kind === "likely" &&
        to !== targetOf(instruction, bodyEnd(block))
      ? length - 1
      : length;
  }
}

const orderOf = (part: Part): readonly number[] =>
  typeof part === "number" ? [part] : part.parts.flatMap(orderOf);
