/**
 * How stored elements become 32-bit words and back on targets without 16-bit floats and 64-bit integers.
 *
 * The word-level telling of storage.ts, over the same builder as legalize.ts and as free of branches.
 */
import { type DType, dtypes } from "../ir.ts";
import type { Legalizer, Words } from "./legalize.ts";

/** A stored element's raw words (zero-extended, sign-extended for signed types) as a scalar. */
export function widenStored<V>(
  l: Legalizer<V>,
  dtype: DType,
  raw: Words<V>,
): Words<V> {
  switch (dtype) {
    case "bool":
      return [l.word("i32.ne", raw[0], l.constant(0))];
    case "bf16":
      return [l.shl(raw[0], 16)];
    case "f16":
      return [widenF16(l, raw[0])];
    default:
      return raw;
  }
}

/** A scalar as the raw words that are stored; what lies above the element's bytes is not significant. */
export function narrowStored<V>(
  l: Legalizer<V>,
  dtype: DType,
  value: Words<V>,
): Words<V> {
  switch (dtype) {
    case "bool":
      return [
        l.word("i32.ne", value.reduce((a, b) => l.or(a, b)), l.constant(0)),
      ];
    case "bf16":
      return [narrowBf16(l, value[0])];
    case "f16":
      return [narrowF16(l, value[0])];
    default:
      return dtypes[dtype].bytes === 8 ? value : [value[0]];
  }
}

function widenF16<V>(l: Legalizer<V>, half: V): V {
  const sign = l.shl(l.and(half, 0x8000), 16);
  const exponent = l.and(l.shrU(half, 10), 31);
  const mantissa = l.and(half, 0x3ff);
  const bits = l.shl(l.and(half, 0x7fff), 13);
  const normal = l.add(bits, l.constant(112 << 23));
  const special = l.or(bits, l.constant(0x7f800000));
  // Subnormal: mantissa * 2^-24; its top bit becomes the hidden one.
  const shift = l.sub(l.word("i32.clz", mantissa), l.constant(21));
  const raised = l.shl(l.and(l.word("i32.shl", mantissa, shift), 0x3ff), 13);
  const small = l.or(l.shl(l.sub(l.constant(113), shift), 23), raised);
  const tiny = l.select(mantissa, small, l.constant(0));
  const top = l.word("i32.eq", exponent, l.constant(31));
  return l.or(sign, l.select(top, special, l.select(exponent, normal, tiny)));
}

/** x >> count rounded half to even; count in 1..25, x < 2^31. */
function shiftToEven<V>(l: Legalizer<V>, x: V, count: V): V {
  const one = l.constant(1);
  const kept = l.word("i32.shr_u", x, count);
  const half = l.word("i32.shl", one, l.sub(count, one));
  // Adding half - 1 + the kept bit carries exactly where rounding goes up.
  const bias = l.add(l.sub(half, one), l.and(kept, 1));
  return l.word("i32.shr_u", l.add(x, bias), count);
}

function isNaN32<V>(l: Legalizer<V>, magnitude: V): V {
  return l.word("i32.lt_s", l.constant(0x7f800000), magnitude);
}

function narrowF16<V>(l: Legalizer<V>, bits: V): V {
  const sign = l.and(l.shrU(bits, 16), 0x8000);
  const magnitude = l.and(bits, 0x7fffffff);
  const rebased = l.sub(magnitude, l.constant(112 << 23));
  const normal = shiftToEven(l, rebased, l.constant(13));
  const mantissa = l.or(l.and(magnitude, 0x7fffff), l.constant(0x800000));
  const wanted = l.sub(l.constant(126), l.shrU(magnitude, 23));
  const count = l.word(
    "i32.max_s",
    l.word("i32.min_s", wanted, l.constant(25)),
    l.constant(1),
  );
  const tiny = shiftToEven(l, mantissa, count);
  const below = (limit: number) =>
    l.word("i32.lt_s", magnitude, l.constant(limit));
  // 65520 rounds up to infinity; below 2^-14 the result counts units of 2^-24.
  const finite = l.select(below(0x38800000), tiny, normal);
  const value = l.select(below(0x477ff000), finite, l.constant(0x7c00));
  const signed = l.or(sign, value);
  return l.select(isNaN32(l, magnitude), l.constant(0x7e00), signed);
}

function narrowBf16<V>(l: Legalizer<V>, bits: V): V {
  const magnitude = l.and(bits, 0x7fffffff);
  const odd = l.and(l.shrU(bits, 16), 1);
  const rounded = l.shrU(l.add(l.add(bits, l.constant(0x7fff)), odd), 16);
  return l.select(isNaN32(l, magnitude), l.constant(0x7fc0), rounded);
}
