/** The names of `@std/assert` that the tests use, over `node:assert`: JSR is not needed to run them. */
import assert from "node:assert/strict";

export function assertEquals<T>(
  actual: T,
  expected: T,
  message?: string,
): void {
  assert.deepStrictEqual(actual, expected, message);
}

export function assertNotEquals<T>(
  actual: T,
  expected: T,
  message?: string,
): void {
  assert.notDeepStrictEqual(actual, expected, message);
}

export function assertStringIncludes(
  actual: string,
  expected: string,
  message?: string,
): void {
  assert.ok(
    actual.includes(expected),
    message ??
      `Expected ${JSON.stringify(actual)} to include ${
        JSON.stringify(expected)
      }`,
  );
}

export function assertMatch(
  actual: string,
  expected: RegExp,
  message?: string,
): void {
  assert.match(actual, expected, message);
}

// deno-lint-ignore no-explicit-any
type ErrorClass = new (...args: any[]) => Error;

function checkError(
  error: unknown,
  errorClass?: ErrorClass,
  includes?: string,
): Error {
  assert.ok(
    error instanceof Error,
    `Expected an Error to be thrown, got ${String(error)}`,
  );
  if (errorClass) {
    assert.ok(
      error instanceof errorClass,
      `Expected ${errorClass.name}, got ${error}`,
    );
  }
  if (includes !== undefined) assertStringIncludes(error.message, includes);
  return error;
}

/** Runs `fn`, expects it to throw, and returns the error for further checks. */
export function assertThrows(
  fn: () => unknown,
  errorClass?: ErrorClass,
  includes?: string,
): Error {
  try {
    fn();
  } catch (error) {
    return checkError(error, errorClass, includes);
  }
  throw new assert.AssertionError({
    message: "Expected the function to throw",
  });
}

/** As {@linkcode assertThrows}, for a function that returns a promise. */
export async function assertRejects(
  fn: () => Promise<unknown>,
  errorClass?: ErrorClass,
  includes?: string,
): Promise<Error> {
  try {
    await fn();
  } catch (error) {
    return checkError(error, errorClass, includes);
  }
  throw new assert.AssertionError({
    message: "Expected the promise to be rejected",
  });
}

export function assert_(
  condition: unknown,
  message?: string,
): asserts condition {
  assert.ok(condition, message);
}
export { assert_ as assert };
