/**
 * Where elements of a tensor lie: the offset of an element is a sum of one table entry per axis, for
 * row-major tensors and blocked layouts alike. `ir.ts` defines the layouts; nothing here reads bytes.
 */
import type { TensorType } from "../ir.ts";

/** Per axis and index along it, its part of the element's offset, in elements. */
export function offsetTables(type: TensorType): Int32Array[] {
  const factors = type.layout ??
    type.shape.map((size, axis) => ({ axis, size }));
  const strides: number[] = new Array(factors.length);
  let stride = 1;
  for (let f = factors.length - 1; f >= 0; f--) {
    strides[f] = stride;
    stride *= factors[f].size;
  }
  return type.shape.map((size, axis) => {
    const table = new Int32Array(size);
    for (let i = 0; i < size; i++) {
      let rest = i;
      let offset = 0;
      for (let f = factors.length - 1; f >= 0; f--) {
        if (factors[f].axis !== axis) continue;
        offset += (rest % factors[f].size) * strides[f];
        rest = Math.floor(rest / factors[f].size);
      }
      table[i] = offset;
    }
    return table;
  });
}
