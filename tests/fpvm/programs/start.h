/*
 * Entry point, output and what a compiler calls without being told. The machine stops at Linux's `write`, where the
 * result is compared; compiled for a computer with a C library, the same program prints it.
 */
typedef unsigned char u8;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef int i32;
typedef long long i64;

static u32 result[64];
static void compute(void);

/* Mixes a value into the result, so that every value and their order matter. */
static u32 __attribute__((unused)) put_count;
static void __attribute__((unused)) put(u32 value) {
  u32 *at = &result[put_count++ % 64];
  *at = (*at * 16777619u) ^ value;
}

static void __attribute__((unused)) put64(u64 value) {
  put(value);
  put(value >> 32);
}

#ifdef __mips__

static void system_call(u32 number, u32 first, const void *second, u32 third) {
  register u32 v0 __asm__("$2") = number;
  register u32 a0 __asm__("$4") = first;
  register const void *a1 __asm__("$5") = second;
  register u32 a2 __asm__("$6") = third;
  __asm__ volatile("syscall" : "+r"(v0) : "r"(a0), "r"(a1), "r"(a2) : "$7", "memory");
}

void _start(void) {
  compute();
  system_call(4004, 1, result, sizeof result);
  system_call(4001, 0, 0, 0);
}

void *memset(void *to, int value, u32 count) {
  for (u32 i = 0; i < count; i++) ((volatile u8 *)to)[i] = value;
  return to;
}

void *memcpy(void *to, const void *from, u32 count) {
  for (u32 i = 0; i < count; i++) ((volatile u8 *)to)[i] = ((const u8 *)from)[i];
  return to;
}

static u64 divide(u64 n, u64 d, u64 *rest) {
  u64 quotient = 0, r = 0;
  for (int i = 63; i >= 0; i--) {
    r = (r << 1) | ((n >> i) & 1);
    if (r >= d) {
      r -= d;
      quotient |= 1ull << i;
    }
  }
  *rest = r;
  return quotient;
}

u64 __udivdi3(u64 n, u64 d) {
  u64 rest;
  return divide(n, d, &rest);
}

u64 __umoddi3(u64 n, u64 d) {
  u64 rest;
  divide(n, d, &rest);
  return rest;
}

i64 __divdi3(i64 n, i64 d) {
  u64 rest, q = divide(n < 0 ? -(u64)n : (u64)n, d < 0 ? -(u64)d : (u64)d, &rest);
  return (n < 0) != (d < 0) ? -q : q;
}

i64 __moddi3(i64 n, i64 d) {
  u64 rest;
  divide(n < 0 ? -(u64)n : (u64)n, d < 0 ? -(u64)d : (u64)d, &rest);
  return n < 0 ? -rest : rest;
}

#else

#include <string.h>
#include <unistd.h>

int main(void) {
  compute();
  return write(1, result, sizeof result) != sizeof result;
}

#endif
