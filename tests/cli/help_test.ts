/** Every command explains itself, and commands of later versions say so. */
import { assert, assertEquals } from "@std/assert";
import process from "node:process";
import { commands, main } from "../../cli/main.ts";

/** Runs a command in this process; returns its exit code and all that it printed. */
async function capture(...args: string[]): Promise<[number, string]> {
  const lines: string[] = [];
  const { log, error } = console;
  const stdout = process.stdout.write;
  console.log = console.error = (...values: unknown[]) => {
    lines.push(values.join(" "));
  };
  process.stdout.write = (text: string | Uint8Array) => {
    lines.push(String(text));
    return true;
  };
  try {
    return [await main(args), lines.join("\n")];
  } finally {
    console.log = log;
    console.error = error;
    process.stdout.write = stdout;
  }
}

for (const [name, { load }] of Object.entries(commands)) {
  Deno.test(`${name}: ${load ? "--help shows usage and an example" : "is not in this version, exit code 2"}`, async () => {
    if (!load) {
      const [code, text] = await capture(name, "x");
      assertEquals(code, 2);
      assert(text.includes("not in this version"), text);
      return;
    }
    const [code, text] = await capture(name, "--help");
    assertEquals(code, 0, text);
    assert(text.includes(`Usage: chainlearn ${name}`), text);
    assert(/Examples?:/.test(text), text);
  });
}
