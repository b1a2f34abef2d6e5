/**
 * The one base error of the project. It lives in the lowest folder so that every other one may use it.
 *
 * A message starts with a capital letter, says the action, then after a colon what was expected and
 * what was found; it has no full stop. `cli/` prints message and hint and exits with `exitCode`.
 */

/** Exit codes of the command line: 1 a check failed, 2 wrong usage or input, 3 the environment. */
export type ExitCode = 1 | 2 | 3;

/** What an error may carry beside its message. */
export interface ErrorDetails {
  /** Defaults to 2: the input is at fault. */
  exitCode?: ExitCode;
  /** What to try next, one sentence. */
  hint?: string;
  /** Every single problem, where there are several (for example all unsupported operators). */
  problems?: string[];
  cause?: unknown;
}

/** Base of all errors that a user may see. */
export class ChainLearnError extends Error {
  override name = "ChainLearnError";
  readonly exitCode: ExitCode;
  readonly hint?: string;
  readonly problems: string[];

  constructor(message: string, details: ErrorDetails = {}) {
    super(
      message,
      details.cause === undefined ? undefined : { cause: details.cause },
    );
    this.exitCode = details.exitCode ?? 2;
    this.hint = details.hint;
    this.problems = details.problems ?? [];
  }
}
