/** `chainlearn doctor`: what this machine can do, and what to install for the rest. */
import type { Command } from "commander";
import { startAnvil } from "../contracts/mod.ts";
import { WasmModule } from "../fpvm/mod.ts";
import { cacheFolder } from "./files.ts";
import { formatTable, paint, printJson } from "./terminal.ts";

interface Finding {
  readonly name: string;
  /** Whether the product needs it. */
  readonly required: boolean;
  readonly ok: boolean;
  readonly found: string;
  readonly advice?: string;
}

async function runs(command: string, args: string[]): Promise<string | null> {
  try {
    const { success, stdout } = await new Deno.Command(command, {
      args,
      stdout: "piped",
      stderr: "null",
    }).output();
    return success
      ? new TextDecoder().decode(stdout).split("\n")[0].trim()
      : null;
  } catch {
    return null;
  }
}

/** Whether a function that splats a byte over a vector is accepted. */
function hasSimd(): boolean {
  const module = new WasmModule();
  module.function([], ["v128"]).i32(0).op("i8x16.splat");
  return WebAssembly.validate(module.encode());
}

async function checkChain(): Promise<Finding> {
  const name = "local chain (anvil)";
  try {
    const anvil = await startAnvil();
    await anvil.stop();
    return { name, required: true, ok: true, found: "starts" };
  } catch (error) {
    return {
      name,
      required: true,
      ok: false,
      found: (error as Error).message,
      advice: "Put anvil (Foundry) on PATH",
    };
  }
}

async function checkWebGpu(): Promise<Finding> {
  const adapter = await navigator.gpu?.requestAdapter().catch(() => null);
  return {
    name: "WebGPU adapter",
    required: false,
    ok: Boolean(adapter),
    found: adapter
      ? adapter.info.description || adapter.info.vendor || "an adapter"
      : "none",
    advice: "apt-get install mesa-vulkan-drivers",
  };
}

async function optional(
  name: string,
  command: string,
  advice: string,
): Promise<Finding> {
  const version = await runs(command, ["--version"]);
  return {
    name,
    required: false,
    ok: version !== null,
    found: version ?? "not installed",
    advice,
  };
}

async function checkCache(): Promise<Finding> {
  const folder = cacheFolder();
  const ok = await Deno.mkdir(folder, { recursive: true }).then(
    () => true,
    () => false,
  );
  return {
    name: "cache folder",
    required: true,
    ok,
    found: folder,
    advice: "Set XDG_CACHE_HOME to a folder you can write",
  };
}

async function doctor(options: { json?: boolean }): Promise<void> {
  const threads = typeof SharedArrayBuffer === "function";
  const findings: Finding[] = [
    {
      name: "runtime",
      required: true,
      ok: true,
      found: `Deno ${Deno.version.deno}, V8 ${Deno.version.v8}`,
    },
    {
      name: "processors",
      required: true,
      ok: true,
      found: String(navigator.hardwareConcurrency),
    },
    {
      name: "WebAssembly SIMD",
      required: true,
      ok: hasSimd(),
      found: hasSimd() ? "yes" : "no",
    },
    {
      name: "shared memory (threads)",
      required: true,
      ok: threads,
      found: threads ? "yes" : "no",
    },
    await checkCache(),
    await checkChain(),
    await checkWebGpu(),
    await optional(
      "MIPS compiler (tests)",
      "mipsel-linux-gnu-gcc",
      "apt-get install gcc-mipsel-linux-gnu",
    ),
    await optional("QEMU (tests)", "qemu-mipsel", "apt-get install qemu-user"),
  ];
  if (findings.some((f) => f.required && !f.ok)) Deno.exitCode = 3;
  if (options.json) {
    return printJson({
      fit: findings.every((f) => f.ok || !f.required),
      findings,
    });
  }
  const mark = (f: Finding) => f.ok ? "ok" : f.required ? "MISSING" : "absent";
  console.log(
    formatTable(
      findings.map((
        f,
      ) => [
        f.name,
        mark(f),
        f.ok || !f.advice ? f.found : `${f.found}; try: ${f.advice}`,
      ]),
    ),
  );
  console.log(
    Deno.exitCode
      ? paint.red("This machine lacks something that is needed.")
      : paint.green("This machine can do everything that is needed."),
  );
}

/** Adds the command's options. */
export function define(command: Command): void {
  command
    .option("--json", "print one JSON object")
    .addHelpText(
      "after",
      "\nExit code 0 if all that is needed is there, 3 if not. What is absent serves tests or speed only.\n\nExample:\n  chainlearn doctor --json",
    )
    .action(doctor);
}
