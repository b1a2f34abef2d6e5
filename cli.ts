/** The single entry point: `chainlearn COMMAND ...`; the commands are in `cli/`. */
import { main } from "./cli/main.ts";

if (import.meta.main) Deno.exit(await main(Deno.args));
