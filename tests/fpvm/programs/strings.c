/* Strings, 64-bit arithmetic, and structs copied from and to unaligned places. */
#include "start.h"

struct __attribute__((packed)) Header {
  u8 kind;
  u32 length;
  u64 stamp;
  short delta;
  u8 name[11];
};

struct Pair {
  struct Header header;
  i64 sums[3];
  u8 tail;
};

static u8 buffer[900];

static struct Pair __attribute__((noinline)) made(u32 seed) {
  struct Pair pair = {.tail = seed};
  pair.header.kind = seed >> 3;
  pair.header.length = seed * 2654435761u;
  pair.header.stamp = (u64)seed * 0x9e3779b97f4a7c15ull;
  pair.header.delta = (short)(seed * 40503u);
  for (int i = 0; i < 11; i++) pair.header.name[i] = 'a' + (seed + i) % 26;
  for (int i = 0; i < 3; i++) pair.sums[i] = (i64)(pair.header.stamp >> i) - (i64)pair.header.length;
  return pair;
}

static u32 __attribute__((noinline)) sum_of(struct Pair pair, u64 factor) {
  u64 sum = pair.header.stamp * factor + pair.header.length + pair.header.delta + pair.tail;
  for (int i = 0; i < 3; i++) sum ^= (u64)pair.sums[i] << (7 * i);
  return sum ^ sum >> 32;
}

static u32 text_length(const char *text) {
  const char *end = text;
  while (*end) end++;
  return end - text;
}

static int compare(const char *a, const char *b) {
  while (*a && *a == *b) a++, b++;
  return (u8)*a - (u8)*b;
}

/* Digits of a signed number in any base, as a string that grows downwards. */
static char *digits(char *end, i64 value, u32 base) {
  u64 rest = value < 0 ? -(u64)value : (u64)value;
  *--end = 0;
  do {
    u32 digit = rest % base;
    *--end = digit < 10 ? '0' + digit : 'a' + digit - 10;
    rest /= base;
  } while (rest);
  if (value < 0) *--end = '-';
  return end;
}

static void put_text(const char *text) {
  for (; *text; text++) put((u8)*text);
}

static void long_arithmetic(void) {
  static const u64 edges[] = {
      0, 1, 2, 0x7fffffff, 0x80000000, 0xffffffff, 0x100000000, 0x123456789abcdef, 0x7fffffffffffffff,
      0x8000000000000000, 0x8000000000000001, 0xfffffffffffffffe, 0xffffffffffffffff, 0xffffffff00000000,
  };
  enum { COUNT = sizeof edges / sizeof edges[0] };
  for (int i = 0; i < COUNT; i++) {
    for (int j = 0; j < COUNT; j++) {
      u64 a = edges[i], b = edges[j];
      put64(a + b);
      put64(a - b);
      put64(a * b);
      put((i64)a < (i64)b);
      put(a < b);
      put64(a << (b & 63));
      put64(a >> (b & 63));
      put64((i64)a >> (b & 63));
      if (b == 0) continue;
      put64(a / b);
      put64(a % b);
      if (b == 0xffffffffffffffff) continue;
      put64((i64)a / (i64)b);
      put64((i64)a % (i64)b);
    }
  }
}

static void compute(void) {
  /* Every alignment of source and destination. */
  for (u32 seed = 0; seed < 24; seed++) {
    struct Pair pair = made(seed * 977 + 5);
    struct Header *at = (struct Header *)(buffer + 31 * seed + seed % 5);
    *at = pair.header;
    struct Header copy = *at;
    copy.length += seed;
    copy.stamp -= copy.length;
    *(struct Header *)(buffer + 33 * seed + 40) = copy;
    pair.header = *at;
    put(sum_of(pair, copy.stamp));
  }
  for (u32 i = 0; i < sizeof buffer; i++) put(buffer[i]);
  char space[80];
  for (u32 base = 2; base <= 36; base++) {
    char *text = digits(space + sizeof space, -0x123456789abcdefll * (i64)base, base);
    put(text_length(text));
    put_text(text);
    put(compare(text, "-1z") < 0 ? 1 : 2);
  }
  long_arithmetic();
}
