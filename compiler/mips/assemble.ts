/** Turns final code into machine words: places labels, computes branch offsets, encodes. */
import { ChainLearnError, encode } from "../../fpvm/mod.ts";
import type { Item } from "./code.ts";

/** Size of the machine's program region. */
const MOST_BYTES = 1 << 24;

/** Little-endian machine code, entry at 0. */
export function assemble(name: string, items: readonly Item[]): Uint8Array {
  const labels = new Map<number, number>();
  let at = 0;
  for (const item of items) {
    if ("mark" in item) labels.set(item.mark, at);
    else at++;
  }
  const bytes = new Uint8Array(4 * at);
  if (bytes.length > MOST_BYTES) {
    throw new ChainLearnError(
      `Cannot emit kernel "${name}" for MIPS: expected code of at most ${MOST_BYTES} bytes, found ${bytes.length}`,
    );
  }
  const view = new DataView(bytes.buffer);
  at = 0;
  for (const item of items) {
    if ("mark" in item) continue;
    const fields = { ...item.fields };
    if (item.label !== undefined) {
      fields.offset = labels.get(item.label)! - (at + 1);
      if (Math.abs(fields.offset) >= 32768) {
        throw new ChainLearnError(
          `Cannot emit kernel "${name}" for MIPS: expected branches over less than 32768 instructions, found ${
            Math.abs(fields.offset)
          }`,
        );
      }
    }
    if (item.name === "clz") fields.rt = fields.rd;
    view.setUint32(4 * at++, encode(item.name, fields), true);
  }
  return bytes;
}
