/** Commands as a user starts them, in a folder of their own. */
import { assertEquals } from "@std/assert";
import { fileURLToPath } from "node:url";

const program = fileURLToPath(new URL("../../cli.ts", import.meta.url));

/** What a command left. */
export interface Finished {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Runs `chainlearn` with arguments in `folder`. */
export async function chainlearn(
  folder: string,
  args: readonly string[],
): Promise<Finished> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", program, ...args],
    cwd: folder,
    env: { NO_COLOR: "1" },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, out: text(stdout), err: text(stderr) };
}

/** Runs it and requires exit code 0. */
export async function succeeds(
  folder: string,
  args: readonly string[],
): Promise<Finished> {
  const finished = await chainlearn(folder, args);
  assertEquals(finished.code, 0, `${args.join(" ")}: ${finished.err}`);
  return finished;
}

/** Names and sizes of all files of a folder. */
export function filesIn(folder: string): string[] {
  return [...Deno.readDirSync(folder)]
    .map(({ name }) => `${name} ${Deno.statSync(`${folder}/${name}`).size}`)
    .sort();
}
