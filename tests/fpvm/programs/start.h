/* Entry point and the two Linux system calls; the machine stops at `write`, where the result is compared. */
typedef unsigned char u8;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef int i32;
typedef long long i64;

static void system_call(u32 number, u32 first, const void *second, u32 third) {
  register u32 v0 __asm__("$2") = number;
  register u32 a0 __asm__("$4") = first;
  register const void *a1 __asm__("$5") = second;
  register u32 a2 __asm__("$6") = third;
  __asm__ volatile("syscall" : "+r"(v0) : "r"(a0), "r"(a1), "r"(a2) : "$7", "memory");
}

static u32 result[64];
static void compute(void);

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
