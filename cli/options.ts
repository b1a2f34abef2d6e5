/** Parsers of option values that several commands share. */
import { InvalidArgumentError } from "commander";

/** Collects an option that may be given several times. */
export function collect(value: string, previous: string[]): string[] {
  return [...previous, value];
}

/** A whole number >= 0. */
export function parseCount(text: string): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(value)) {
    throw new InvalidArgumentError(`expected a whole number, found "${text}"`);
  }
  return value;
}

/** One of the given words. */
export function parseChoice<T extends string>(
  choices: readonly T[],
): (text: string) => T {
  return (text) => {
    if (!choices.includes(text as T)) {
      throw new InvalidArgumentError(
        `expected one of ${choices.join(", ")}, found "${text}"`,
      );
    }
    return text as T;
  };
}
