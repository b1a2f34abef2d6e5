/**
 * A content store with a temporary file behind it: takes what the machine cannot hold and gives it again.
 *
 * The file is deleted at once where the system lets an open file be, otherwise when the store is closed. About 300
 * bytes a part stay in memory. The machine verifies what it reads back, so a damaged file is an error, never a wrong
 * hash.
 */
import { dirname, join } from "node:path";
import {
  contentKey,
  type ContentStore,
  type KeepingStore,
} from "../fpvm/mod.ts";

/** Where a part lies in the file. */
interface Place {
  readonly offset: number;
  readonly length: number;
}

type Halves = readonly [Uint8Array, Uint8Array];

/** See the head of this file. What `get` returns holds until the next call. */
export class SpillStore implements KeepingStore, Disposable {
  readonly #file: Deno.FsFile;
  readonly #path: string;
  readonly #places = new Map<string, Place>();
  readonly #halves = new Map<string, Halves>();
  #end = 0;
  /** What was read last: whoever asks copies it, and an array for each part would be garbage at once. */
  #read = new Uint8Array(0);

  /** Beside `under`, which is asked for what was not kept here. */
  constructor(readonly under?: ContentStore) {
    this.#path = join(Deno.makeTempDirSync({ prefix: "chainlearn-" }), "parts");
    this.#file = Deno.openSync(this.#path, {
      read: true,
      write: true,
      createNew: true,
    });
    this.#remove();
  }

  /** Bytes in the file. */
  get keptBytes(): number {
    return this.#end;
  }

  get(root: Uint8Array, height: number): Uint8Array | undefined {
    const place = this.#places.get(contentKey(root, height));
    if (place === undefined) return this.under?.get(root, height);
    if (this.#read.length < place.length) {
      this.#read = new Uint8Array(place.length);
    }
    const bytes = this.#read.subarray(0, place.length).fill(0);
    this.#file.seekSync(place.offset, Deno.SeekMode.Start);
    for (let done = 0; done < bytes.length;) {
      const read = this.#file.readSync(bytes.subarray(done));
      // What is missing stays zero and does not pass for the content.
      if (read === null) break;
      done += read;
    }
    return bytes;
  }

  children(root: Uint8Array, height: number): Halves | undefined {
    return this.#halves.get(contentKey(root, height)) ??
      this.under?.children?.(root, height);
  }

  keep(root: Uint8Array, height: number, bytes: Uint8Array): void {
    const key = contentKey(root, height);
    if (this.#places.has(key)) return;
    this.#file.seekSync(this.#end, Deno.SeekMode.Start);
    for (let done = 0; done < bytes.length;) {
      done += this.#file.writeSync(bytes.subarray(done));
    }
    this.#places.set(key, { offset: this.#end, length: bytes.length });
    this.#end += bytes.length;
  }

  keepChildren(
    root: Uint8Array,
    height: number,
    left: Uint8Array,
    right: Uint8Array,
  ): void {
    this.#halves.set(contentKey(root, height), [left, right]);
  }

  [Symbol.dispose](): void {
    this.#file.close();
    this.#remove();
  }

  #remove(): void {
    try {
      Deno.removeSync(dirname(this.#path), { recursive: true });
    } catch {
      // Open, or removed before.
    }
  }
}
