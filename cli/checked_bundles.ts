/**
 * Which bundles were checked whole before, so that `run` need not do it again: one small file each in the cache.
 *
 * An entry holds for one file as it was (place, size, times) and for the digest of its header, which fixes graph and
 * kernels; of the tensors' bytes the file's times alone speak. That is for a person who looks at an answer: commands
 * that stake, prove or judge read and hash everything, and never look here.
 */
import { join } from "node:path";
import {
  bundleDigest,
  type Commitment,
  FORMAT_VERSION,
  openBundle,
  type OpenedBundle,
  readBundle,
} from "../compiler/mod.ts";
import { keccak256 } from "../fpvm/mod.ts";
import { cacheFolder, fileInPieces } from "./files.ts";

/** What a file was when it was checked; of the same name, written by the same version. */
interface Entry {
  readonly format: string;
  readonly file: string;
  readonly digest: string;
}

const FORMAT = `chainlearn checked bundle ${FORMAT_VERSION}`;

async function entryPath(path: string): Promise<string> {
  const real = new TextEncoder().encode(await Deno.realPath(path));
  return join(cacheFolder(), "checked", `${keccak256(real).toHex()}.json`);
}

async function readEntry(path: string): Promise<Partial<Entry>> {
  try {
    return JSON.parse(await Deno.readTextFile(path)) ?? {};
  } catch {
    return {};
  }
}

/** Keeps an entry; where the cache cannot be written, the next run checks again. */
async function keepEntry(path: string, entry: Entry): Promise<void> {
  const temporary = `${path}.${Deno.pid}.tmp`;
  try {
    await Deno.mkdir(join(path, ".."), { recursive: true });
    await Deno.writeTextFile(temporary, JSON.stringify(entry));
    await Deno.rename(temporary, path);
  } catch {
    await Deno.remove(temporary).catch(() => {});
  }
}

/**
 * Opens a bundle to run it: from its header alone where the cache says that this very file was checked, else after
 * checking all of it. The model reads from the file when its constants are asked for.
 */
export async function openChecked(
  path: string,
): Promise<OpenedBundle | Commitment> {
  const file = fileInPieces(path, "bundle");
  const kept = await entryPath(path);
  const entry = await readEntry(kept);
  if (entry.format === FORMAT && entry.file === file.state) {
    const opened = openBundle(file, path);
    if (opened.digest === entry.digest) return opened;
  }
  const bytes = file.read(0, file.size);
  const commitment = readBundle(bytes, path);
  const digest = bundleDigest(bytes, path);
  // What was written meanwhile has another state, and the entry will not hold for it.
  await keepEntry(kept, { format: FORMAT, file: file.state, digest });
  return commitment;
}
