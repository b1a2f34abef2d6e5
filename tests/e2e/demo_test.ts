/** The demonstration as a user runs it: its own process, its own chain. */
import { assert, assertEquals } from "@std/assert";
import { fileURLToPath } from "node:url";

const program = fileURLToPath(new URL("../../cli.ts", import.meta.url));

async function demo(...args: string[]) {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", program, "demo", ...args],
    env: { NO_COLOR: "1" },
  }).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, out: text(stdout), err: text(stderr) };
}

Deno.test("demo: each liar loses on an instruction and the true answer becomes final", async () => {
  const { code, out, err } = await demo("--json", "--fault", "node=3");
  assertEquals(code, 0, err);
  const { disputes, final } = JSON.parse(out);
  assertEquals(
    disputes.map((d: { liar: string; winner: string }) => [d.liar, d.winner]),
    [["submitter", "challenger"], ["challenger", "submitter"]],
  );
  for (const dispute of disputes) {
    assertEquals([dispute.fault.node, dispute.ending], [3, "step"]);
    assert(Number.isInteger(dispute.fault.leaf + dispute.fault.step));
    const { graph, tensor, instruction } = dispute.rounds;
    assert(graph >= 1 && tensor >= 1 && instruction >= 1);
    const sum = Object.values<number>(dispute.gasByMove)
      .reduce((a, b) => a + b, 0);
    assertEquals(sum, dispute.gas);
    assert(dispute.transactions <= 24, `${dispute.transactions} transactions`);
    assert(dispute.gas <= 2_000_000, `${dispute.gas} gas`);
    assert(dispute.seconds > 0 && dispute.seconds <= 5, `${dispute.seconds} s`);
    assert(/^[a-z]+/.test(dispute.instruction.text));
    assert(dispute.instruction.pc % 4 === 0 && dispute.instruction.word !== 0);
  }
  assertEquals([final.status, final.label], ["final", "Ankle boot"]);
  assert(/^0x([0-9a-f]{2})+$/.test(final.output));
});

Deno.test("demo: --liar plays one side and tells it as a text", async () => {
  const { code, out, err } = await demo("--liar", "challenger", "--seed", "5");
  assertEquals(code, 0, err);
  assert(out.includes("A lying challenger"));
  assert(!out.includes("A lying submitter"));
  assert(out.includes('"Ankle boot" is final on chain'));
  assert(!out.includes("\x1b["), "colors in a pipe");
});

Deno.test("demo: a node that does not exist is a usage error without a trace", async () => {
  const { code, out, err } = await demo("--fault", "node=99");
  assertEquals(code, 2);
  assert(err.includes("Cannot place a fault in node 99"), err);
  assert(!err.includes("    at ") && !out.includes("    at "));
});
