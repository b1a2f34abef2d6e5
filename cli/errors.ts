/**
 * How an error reaches the user: what was being done, every single problem, a hint, an exit code.
 *
 * A stack trace is printed with --debug only. Errors that are not ours (a full disk, a broken pipe) are put in the same
 * form and count as the environment's.
 */
// Not from fpvm/mod.ts as elsewhere: every start would load the whole machine (25 ms).
import { ChainLearnError } from "../fpvm/errors.ts";
import { paint } from "./terminal.ts";

let debug = false;

/** Whether stack traces are printed. */
export function setDebug(on: boolean): void {
  debug = on;
}

function environmentMessage(error: unknown): string {
  if (error instanceof Deno.errors.NotFound) {
    return `Cannot open a file: ${error.message}`;
  }
  if (error instanceof Deno.errors.PermissionDenied) {
    return `Cannot open a file: ${error.message}`;
  }
  return error instanceof Error
    ? `Unexpected failure: ${error.message}`
    : `Unexpected failure: ${String(error)}`;
}

/** Prints an error to standard error and returns its exit code. */
export function reportError(error: unknown): number {
  const own = error instanceof ChainLearnError;
  console.error(
    `${paint.red("Error:")} ${own ? error.message : environmentMessage(error)}`,
  );
  if (own) {
    for (const problem of error.problems) {
      if (!error.message.includes(problem)) console.error(`  - ${problem}`);
    }
    if (error.hint) console.error(`${paint.cyan("Try:")} ${error.hint}`);
  }
  if (debug && error instanceof Error) {
    for (let e: unknown = error; e instanceof Error; e = e.cause) {
      console.error(e.stack);
    }
  }
  return own ? error.exitCode : 3;
}
