/**
 * The npm compiler behind the command line that forge expects of `solc`: `--version`, and `--standard-json` on
 * standard input. Other arguments are ignored: with standard JSON they say nothing new.
 */
import { compileStandardJson, solcVersion } from "./build.ts";

if (Deno.args.includes("--standard-json")) {
  const input = await new Response(Deno.stdin.readable).text();
  const output = new TextEncoder().encode(compileStandardJson(input));
  await new Blob([output]).stream().pipeTo(Deno.stdout.writable);
} else if (Deno.args.includes("--version")) {
  console.log("solc, the solidity compiler commandline interface");
  console.log(`Version: ${solcVersion()}`);
} else {
  console.error("Cannot compile: expected --version or --standard-json");
  Deno.exit(2);
}
