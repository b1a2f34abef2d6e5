/* A block of a hash in the manner of SHA-256 (constants are rounded roots): rotations, rodata, byte order. */
#include "start.h"

/* First 32 fraction bits of the k-th root (2 or 3) of n, by bisection in 64 bits. */
static u32 fraction_of_root(u32 n, int k) {
  u64 low = 0, high = 1ull << 37;
  while (high - low > 1) {
    u64 middle = (low + high) / 2;
    /* middle / 2^32 to the k-th power against n, in 32.32 and 96-bit steps. */
    u64 top = middle >> 16;
    u64 power = k == 2 ? top * (middle >> 16) : (((top * top) >> 26) * (middle >> 22)) >> 12;
    if (power <= ((u64)n << 32)) low = middle;
    else high = middle;
  }
  return low;
}

static u32 rotated(u32 x, int n) { return (x >> n) | (x << (32 - n)); }

static void compute(void) {
  u32 primes[64], constants[64], state[8], w[64];
  int count = 0;
  for (u32 n = 2; count < 64; n++) {
    int is_prime = 1;
    for (u32 d = 2; d * d <= n; d++) is_prime &= n % d != 0;
    if (is_prime) primes[count++] = n;
  }
  for (int i = 0; i < 64; i++) constants[i] = fraction_of_root(primes[i], 3);
  for (int i = 0; i < 8; i++) state[i] = fraction_of_root(primes[i], 2);
  static const char message[] = "a message in the program's constants";
  u8 *block = (u8 *)w;
  for (int i = 0; i < 64; i++) block[i] = i < (int)sizeof message ? message[i] : i;
  for (int i = 0; i < 16; i++) w[i] = __builtin_bswap32(w[i]);
  for (int i = 16; i < 64; i++) {
    u32 s0 = rotated(w[i - 15], 7) ^ rotated(w[i - 15], 18) ^ (w[i - 15] >> 3);
    u32 s1 = rotated(w[i - 2], 17) ^ rotated(w[i - 2], 19) ^ (w[i - 2] >> 10);
    w[i] = w[i - 16] + s0 + w[i - 7] + s1;
  }
  u32 v[8];
  for (int i = 0; i < 8; i++) v[i] = state[i];
  for (int i = 0; i < 64; i++) {
    u32 s1 = rotated(v[4], 6) ^ rotated(v[4], 11) ^ rotated(v[4], 25);
    u32 t1 = v[7] + s1 + ((v[4] & v[5]) ^ (~v[4] & v[6])) + constants[i] + w[i];
    u32 s0 = rotated(v[0], 2) ^ rotated(v[0], 13) ^ rotated(v[0], 22);
    u32 t2 = s0 + ((v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]));
    for (int j = 7; j > 0; j--) v[j] = v[j - 1];
    v[4] += t1;
    v[0] = t1 + t2;
  }
  for (int i = 0; i < 8; i++) result[i] = state[i] + v[i];
  for (int i = 0; i < 48; i++) result[8 + i] = constants[i] ^ w[i];
}
