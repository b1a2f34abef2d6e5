/**
 * Runs the Solidity tests of `contracts/test` with forge and the npm compiler.
 *
 * Forge starts a compiler by path, so an executable `.solc` is written first. It is for those who work on the
 * contracts and needs a checkout; nothing that users run comes here.
 */
import { fileURLToPath } from "node:url";
import { ChainLearnError } from "../fpvm/mod.ts";
import { foundryBinary } from "./npm_binary.ts";

/** One test of a run. */
export interface ForgeTest {
  /** `test/StepVm.t.sol:StepVmTest.testDiv(uint256)` */
  name: string;
  passed: boolean;
  /** What forge says of a failure, with the counterexample of a fuzz test. */
  reason: string;
}

interface ForgeResult {
  status: "Success" | "Failure" | "Skipped";
  reason?: string | null;
  counterexample?: unknown;
}

type ForgeReport = Record<
  string,
  { test_results: Record<string, ForgeResult> }
>;

/** Writes the executable that forge starts as its compiler. */
async function writeCompiler(): Promise<void> {
  const path = fileURLToPath(new URL("./.solc", import.meta.url));
  const script = fileURLToPath(new URL("./solc.ts", import.meta.url));
  const quote = (text: string) => `'${text.replaceAll("'", `'\\''`)}'`;
  const text = `#!/bin/sh\nexec ${quote(Deno.execPath())} run -A ${
    quote(script)
  } "$@"\n`;
  try {
    if (await Deno.readTextFile(path) === text) return;
  } catch {
    // Absent: written below.
  }
  // Renamed into place, so that a run beside this one never starts half a file.
  const temporary = `${path}.${Deno.pid}`;
  await Deno.writeTextFile(temporary, text, { mode: 0o755 });
  await Deno.rename(temporary, path);
}

/**
 * Runs `forge test` with `args` added and returns every test's outcome.
 * Throws a {@linkcode ChainLearnError} with forge's text when it gave no report (a compiler error, say).
 */
export async function runForge(args: string[] = []): Promise<ForgeTest[]> {
  await writeCompiler();
  const root = fileURLToPath(new URL(".", import.meta.url));
  const { stdout, stderr } = await new Deno.Command(
    await foundryBinary("forge"),
    {
      args: ["test", "--json", ...args],
      cwd: root,
      env: { NO_COLOR: "1", FOUNDRY_DISABLE_NIGHTLY_WARNING: "1" },
    },
  ).output();
  const text = new TextDecoder().decode(stdout);
  let report: ForgeReport;
  try {
    report = JSON.parse(text.slice(text.indexOf("{")));
  } catch (cause) {
    const complaint = `${text}\n${new TextDecoder().decode(stderr)}`.trim();
    throw new ChainLearnError(
      `Cannot run forge test: expected a JSON report, found ${
        complaint || "nothing"
      }`,
      { exitCode: 3, cause },
    );
  }
  return Object.entries(report).flatMap(([file, { test_results }]) =>
    Object.entries(test_results).map(([name, result]) => ({
      name: `${file}.${name}`,
      passed: result.status === "Success",
      reason: [result.reason ?? "", JSON.stringify(result.counterexample ?? "")]
        .filter((part) => part !== "" && part !== '""').join(" "),
    }))
  );
}
