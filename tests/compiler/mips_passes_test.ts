import { assert, assertEquals } from "@std/assert";
import { allocate } from "../../compiler/mips/allocate.ts";
import { Code, type Instr, type Item } from "../../compiler/mips/code.ts";
import { fillDelaySlots } from "../../compiler/mips/delay_slots.ts";
import { Graph, ROOT } from "../../compiler/mips/graph.ts";

const names = (items: readonly Item[]) =>
  items.map((i) => "mark" in i ? `${i.mark}:` : i.name);

Deno.test("Graph: places a node in the deepest scope of its arguments, loops included", () => {
  const graph = new Graph([4, 5]);
  const outer = graph.op("i32.mul", graph.axis(0), graph.constant(3));
  assertEquals(graph.scopeOf[outer], 1);
  const inner = graph.op("i32.add", outer, graph.axis(1));
  assertEquals(graph.scopeOf[inner], 2);
  const [result] = graph.loop(
    graph.constant(7),
    7,
    [graph.constant(0)],
    (
      turn,
      [sum],
    ) => [graph.op("i32.add", sum, graph.op("i32.mul", turn, outer))],
  );
  assertEquals(graph.scopeOf[result], 1, "the loop reads axis 0 alone");
  assertEquals(graph.scopeOf[graph.iteration()], ROOT);
});

Deno.test("Graph: folds positions in blocks of an unrolled loop", () => {
  const graph = new Graph([4]);
  graph.loop(graph.constant(9), 9, [graph.constant(0)], (turn, carried) => {
    const start = graph.op("i32.mul", turn, graph.constant(8));
    const k = graph.op("i32.add", start, graph.constant(5));
    assertEquals(
      graph.constantOf(graph.op("i32.rem_u", k, graph.constant(2))),
      1,
    );
    assertEquals(
      graph.op("i32.div_u", k, graph.constant(2)),
      graph.op(
        "i32.add",
        graph.op("i32.shl", turn, graph.constant(2)),
        graph.constant(2),
      ),
    );
    return carried;
  });
});

Deno.test("fillDelaySlots: moves what the branch does not depend on, else puts a nop", () => {
  const code = new Code();
  code.section();
  const label = code.newLabel();
  code.mark(label);
  code.emit("lb", { rt: 9, rs: 8, imm: 0 });
  code.emit("madd", { rs: 9, rt: 10 });
  code.emit("addiu", { rt: 8, rs: 8, imm: 1 });
  code.emit("bne", { rs: 8, rt: 11 }, label);
  code.emit("slt", { rd: 2, rs: 3, rt: 4 });
  code.emit("beq", { rs: 2, rt: 0 }, label);
  assertEquals(names(fillDelaySlots(code.items)), [
    "0:",
    "lb",
    "addiu",
    "bne",
    "madd",
    "slt",
    "beq",
    "sll",
  ]);
});

Deno.test("fillDelaySlots: keeps stores in order and HI/LO together", () => {
  const code = new Code();
  code.section();
  const label = code.newLabel();
  code.emit("sw", { rt: 9, rs: 8, imm: 0 });
  code.emit("mult", { rs: 9, rt: 10 });
  code.emit("mflo", { rd: 5 });
  code.emit("lw", { rt: 6, rs: 8, imm: 4 });
  code.emit("bne", { rs: 6, rt: 5 }, label);
  code.mark(label);
  const found = names(fillDelaySlots(code.items));
  assertEquals(found.slice(-2), ["sll", "0:"]);
});

Deno.test("allocate: gives registers that live at once different places, around loops as well", () => {
  const code = new Code();
  code.section();
  const many = Array.from({ length: 40 }, () => code.register());
  many.forEach((r, i) => code.emit("addiu", { rt: r, rs: 0, imm: i }));
  const label = code.newLabel();
  code.mark(label);
  many.forEach((r) => code.emit("addu", { rd: r, rs: r, rt: many[0] }));
  code.emit("bne", { rs: many[0], rt: 0 }, label);
  const items = allocate({
    name: "many",
    items: code.items,
    constants: new Map(),
    frequency: () => 1,
  });
  const first = items.slice(0, items.findIndex((i) => "mark" in i)) as Instr[];
  const places = new Set(
    first.filter((i) => i.name === "sw" || i.fields.rt !== 1).map((i) =>
      i.name === "sw" ? `slot ${i.fields.imm}` : `register ${i.fields.rt}`
    ),
  );
  assertEquals(places.size, 40);
  const stores = items.filter((i) => !("mark" in i) && i.name === "sw");
  assert(stores.length >= 2 * (40 - 27));
});
