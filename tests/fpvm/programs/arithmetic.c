/* 64-bit products and quotients, shifts, bit counts, and a switch through a jump table. */
#include "start.h"

static u32 __attribute__((noinline)) apply(u32 op, u32 a, u32 b) {
  switch (op) {
    case 0: return a + b;
    case 1: return a - b;
    case 2: return a * b;
    case 3: return (i32)a / (i32)(b | 1);
    case 4: return a % (b | 1);
    case 5: return a << (b & 31);
    case 6: return (i32)a >> (b & 31);
    case 7: return (a >> (b & 31)) | (a << (-b & 31));
    case 8: return __builtin_clz(a | 1);
    case 9: return (i32)(signed char)a + (i32)(short)b;
    case 10: return ((i64)(i32)a * (i32)b) >> 32;
    default: return ((u64)a * b) >> 32;
  }
}

static void compute(void) {
  u32 a = 0x9e3779b9, b = 0x7f4a7c15;
  u64 sum = 0;
  i64 dot = 0;
  for (u32 i = 0; i < 600; i++) {
    u32 c = apply(i % 12, a, b);
    result[i % 56] += c;
    sum += (u64)a * c;
    dot += (i64)(i32)b * (i32)c;
    a = b ^ (c >> 3);
    b = c * 69069 + 1;
  }
  u64 quotient = sum / (a | 1);
  result[56] = sum;
  result[57] = sum >> 32;
  result[58] = dot;
  result[59] = dot >> 32;
  result[60] = quotient;
  result[61] = quotient >> 32;
}
