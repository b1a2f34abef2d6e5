/** Executables made by hand, for tests without a compiler. */

/** Where the code and the page of data of {@linkcode elfOf} lie. */
export const TEXT = 0x10000;
export const DATA = 0x30000000;

/** A symbol of a made executable. */
export interface MadeSymbol {
  name: string;
  address: number;
  size?: number;
}

/** An executable with code at TEXT, data at DATA and a symbol table; QEMU runs it too. */
export function elfOf(
  code: number[],
  data: Uint8Array,
  symbols: MadeSymbol[] = [],
): Uint8Array {
  const text = 0x1000;
  const dataAt = Math.ceil((text + 4 * code.length) / 0x1000) * 0x1000;
  const names = `\0${symbols.map(({ name }) => `${name}\0`).join("")}`;
  const sectionsAt = Math.ceil((dataAt + data.length) / 16) * 16;
  const tableAt = sectionsAt + 3 * 40;
  const namesAt = tableAt + 16 * symbols.length;
  const file = new Uint8Array(namesAt + names.length);
  const view = new DataView(file.buffer);
  file.set([0x7f, 0x45, 0x4c, 0x46, 1, 1, 1]);
  const words = (at: number, values: number[]) =>
    values.forEach((value, i) => view.setUint32(at + 4 * i, value, true));
  // Type and machine, version, entry, headers, flags (o32, mips32r2), sizes and counts of headers.
  words(16, [0x80002, 1, TEXT, 52, sectionsAt, 0x70001000, 0x200034]);
  words(44, [0x280002, 0x000003]);
  const length = 4 * code.length;
  words(52, [1, text, TEXT, TEXT, length, length, 5, 0x1000]);
  words(84, [1, dataAt, DATA, DATA, data.length, data.length, 6, 0x1000]);
  words(text, code);
  file.set(data, dataAt);
  // Sections: none, the symbol table (type 2, linked to section 2), its names (type 3).
  words(sectionsAt + 40, [0, 2, 0, 0, tableAt, 16 * symbols.length, 2, 1, 4]);
  words(sectionsAt + 76, [16]);
  words(sectionsAt + 80, [0, 3, 0, 0, namesAt, names.length, 0, 0, 1]);
  let nameAt = 1;
  symbols.forEach(({ name, address, size = 0 }, i) => {
    words(tableAt + 16 * i, [nameAt, address, size, 0x00010012]);
    nameAt += name.length + 1;
  });
  file.set(new TextEncoder().encode(names), namesAt);
  return file;
}
