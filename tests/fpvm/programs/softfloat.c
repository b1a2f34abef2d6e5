/*
 * binary32 in integers: add, multiply, divide, compare, to and from integers, rounded to nearest even, subnormal numbers
 * included. Compiled for a computer, its own floating point computes instead: the bits must be the same.
 */
#include "start.h"

#define NOT_A_NUMBER 0x7fc00000u

#ifdef __mips__

/* A number of 31 significant bits (the lowest says whether anything was lost) times 2^(exponent - 157), rounded. */
static u32 rounded(u32 sign, int exponent, u32 fraction) {
  if (fraction == 0) return sign;
  int shift = __builtin_clz(fraction) - 1;
  fraction <<= shift;
  exponent -= shift;
  if (exponent >= 254) return sign | 0x7f800000;
  if (exponent < 0) {
    int lost = -exponent;
    fraction = lost > 30 ? 1 : (fraction >> lost) | ((fraction & ((1u << lost) - 1)) != 0);
    exponent = 0;
    fraction = (fraction >> 7) + ((fraction & 0x7f) > 0x40 || (fraction & 0xff) == 0xc0);
    return sign | fraction;
  }
  u32 up = (fraction & 0x7f) > 0x40 || (fraction & 0xff) == 0xc0;
  return sign | (((u32)exponent << 23) + (fraction >> 7) + up);
}

/* Exponent and fraction of a finite number; a subnormal one has exponent 1 and no leading bit. */
static int unpack(u32 a, u32 *fraction) {
  int exponent = a >> 23 & 255;
  *fraction = (a & 0x7fffff) | (exponent ? 0x800000 : 0);
  return exponent ? exponent : 1;
}

static int is_nan(u32 a) { return (a << 1) > 0xff000000u; }
static int is_infinite(u32 a) { return (a << 1) == 0xff000000u; }

static u32 add(u32 a, u32 b) {
  if (is_nan(a) || is_nan(b)) return NOT_A_NUMBER;
  if (is_infinite(a)) return is_infinite(b) && a != b ? NOT_A_NUMBER : a;
  if (is_infinite(b)) return b;
  if ((a << 1) < (b << 1)) {
    u32 c = a;
    a = b;
    b = c;
  }
  u32 fa, fb;
  int ea = unpack(a, &fa), eb = unpack(b, &fb), apart = ea - eb;
  fa <<= 6, fb <<= 6;
  fb = apart > 29 ? fb != 0 : (fb >> apart) | ((fb & ((1u << apart) - 1)) != 0);
  u32 sum = (a ^ b) >> 31 ? fa - fb : fa + fb;
  if (sum == 0) return a & b & 0x80000000u;
  return rounded(a & 0x80000000u, ea, sum);
}

static u32 multiply(u32 a, u32 b) {
  u32 sign = (a ^ b) & 0x80000000u, fa, fb;
  if (is_nan(a) || is_nan(b)) return NOT_A_NUMBER;
  if (is_infinite(a) || is_infinite(b)) return (a << 1) == 0 || (b << 1) == 0 ? NOT_A_NUMBER : sign | 0x7f800000;
  int exponent = unpack(a, &fa) + unpack(b, &fb) - 127;
  u64 product = (u64)fa * fb;
  if (product == 0) return sign;
  while (product < (1ull << 47)) product <<= 1, exponent--;
  u32 fraction = (product >> 18) | ((product & 0x3ffff) != 0);
  return rounded(sign, exponent + 1, fraction);
}

static u32 divide_floats(u32 a, u32 b) {
  u32 sign = (a ^ b) & 0x80000000u, fa, fb;
  if (is_nan(a) || is_nan(b) || (is_infinite(a) && is_infinite(b))) return NOT_A_NUMBER;
  if (is_infinite(a)) return sign | 0x7f800000;
  if (is_infinite(b)) return sign;
  if ((b << 1) == 0) return (a << 1) == 0 ? NOT_A_NUMBER : sign | 0x7f800000;
  int exponent = unpack(a, &fa) - unpack(b, &fb) + 127;
  if (fa == 0) return sign;
  while (fa < 0x800000) fa <<= 1, exponent--;
  while (fb < 0x800000) fb <<= 1, exponent++;
  u64 n = (u64)fa << 30;
  u32 quotient = n / fb;
  quotient |= n % fb != 0;
  return rounded(sign, exponent - 1, quotient);
}

static int less(u32 a, u32 b) {
  if (is_nan(a) || is_nan(b) || ((a | b) << 1) == 0) return 0;
  i32 x = a >> 31 ? -(i32)(a & 0x7fffffff) : (i32)a, y = b >> 31 ? -(i32)(b & 0x7fffffff) : (i32)b;
  return x < y;
}

static u32 from_integer(i32 value) {
  u32 magnitude = value < 0 ? -(u32)value : (u32)value, sign = value < 0 ? 0x80000000u : 0;
  if (magnitude >> 31) return sign | 0x4f000000;
  return rounded(sign, 156, magnitude);
}

static i32 to_integer(u32 a) {
  u32 fraction;
  int exponent = unpack(a, &fraction) - 150;
  if (exponent < -24) return 0;
  u32 magnitude = exponent < 0 ? fraction >> -exponent : fraction << exponent;
  return a >> 31 ? -magnitude : magnitude;
}

#else

static float number_of(u32 bits) {
  float number;
  memcpy(&number, &bits, sizeof number);
  return number;
}

static u32 bits_of(float number) {
  u32 bits;
  memcpy(&bits, &number, sizeof bits);
  return number != number ? NOT_A_NUMBER : bits;
}

static u32 add(u32 a, u32 b) { return bits_of(number_of(a) + number_of(b)); }
static u32 multiply(u32 a, u32 b) { return bits_of(number_of(a) * number_of(b)); }
static u32 divide_floats(u32 a, u32 b) { return bits_of(number_of(a) / number_of(b)); }
static int less(u32 a, u32 b) { return number_of(a) < number_of(b); }
static u32 from_integer(i32 value) { return bits_of((float)value); }
static i32 to_integer(u32 a) { return (i32)number_of(a); }

#endif

static const u32 edges[] = {
    0, 1, 2, 3, 0x7fffff, 0x800000, 0x800001, 0xffffff, 0x1000000, 0x33800000, 0x34000000, 0x3f000000, 0x3f7fffff,
    0x3f800000, 0x3f800001, 0x3fc00000, 0x40490fdb, 0x4b000000, 0x4b7fffff, 0x7e800000, 0x7f000000, 0x7f7fffff,
    0x7f800000, 0x7fc00000, 0x20000001, 0x1fffffff,
};

static void pair(u32 a, u32 b) {
  put(add(a, b));
  put(multiply(a, b));
  put(divide_floats(a, b));
  put(less(a, b));
}

static void compute(void) {
  enum { COUNT = sizeof edges / sizeof edges[0] };
  for (int i = 0; i < 2 * COUNT; i++) {
    for (int j = 0; j < 2 * COUNT; j++) {
      pair(edges[i / 2] | (u32)(i & 1) << 31, edges[j / 2] | (u32)(j & 1) << 31);
    }
  }
  u32 seed = 1;
  for (int i = 0; i < 700; i++) {
    u32 a = seed ^= seed << 13, b;
    seed ^= seed >> 17;
    b = seed ^= seed << 5;
    pair(a, b);
    /* Numbers of nearly the same size. */
    pair(a, (b & 0x803fffff) | (a & 0x7fc00000));
    put(from_integer(a));
    put(from_integer((i32)b >> (a & 31)));
    put(to_integer((a & 0x807fffff) | (80 + b % 78) << 23));
  }
}
