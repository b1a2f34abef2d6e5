/* SHA-256 (FIPS 180-4) of messages of every length from 0 to 130, fed in pieces. */
#include "start.h"

struct Hash {
  u32 state[8];
  u64 length;
  u8 block[64];
};

static const u32 initial[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
static u32 constants[64];

/* First 32 fraction bits of the cube root of a prime: the 35-bit root of prime * 2^96, bit by bit. */
static u32 cube_root_fraction(u32 prime) {
  u64 root = 0;
  for (int bit = 34; bit >= 0; bit--) {
    u64 x = root | (1ull << bit);
    /* x^3 <= prime * 2^96, with x^2 in two parts of 35 bits. */
    u64 square_low = (x & 0x1ffff) * (x & 0x1ffff), cross = 2 * (x & 0x1ffff) * (x >> 17);
    u64 square_high = (x >> 17) * (x >> 17) + (cross >> 17);
    square_low += (cross & 0x1ffff) << 17;
    square_high += square_low >> 34;
    square_low &= 0x3ffffffff;
    /* (high * 2^34 + low) * x, carried in limbs of 34 bits. */
    u64 low = (square_low >> 17) * x, lowest = (square_low & 0x1ffff) * x;
    u64 sum0 = lowest + ((low & 0x1ffff) << 17), sum1 = (low >> 17) + (sum0 >> 34);
    u64 top = (square_high >> 17) * x, middle = (square_high & 0x1ffff) * x;
    sum1 += middle & 0x3ffffffff;
    u64 sum2 = (middle >> 34) + (sum1 >> 34) + ((top << 17) >> 34);
    sum1 = (sum1 & 0x3ffffffff) + ((top << 17) & 0x3ffffffff);
    sum2 += sum1 >> 34;
    /* prime * 2^96 = prime * 2^28 in the limb above 68 bits. */
    if (sum2 < ((u64)prime << 28)) root = x;
  }
  return (u32)root;
}

static u32 turn(u32 x, int n) { return (x >> n) | (x << (32 - n)); }

static void compress(struct Hash *hash) {
  u32 w[64], v[8];
  for (int i = 0; i < 16; i++) {
    const u8 *b = hash->block + 4 * i;
    w[i] = (u32)b[0] << 24 | b[1] << 16 | b[2] << 8 | b[3];
  }
  for (int i = 16; i < 64; i++) {
    u32 s0 = turn(w[i - 15], 7) ^ turn(w[i - 15], 18) ^ (w[i - 15] >> 3);
    u32 s1 = turn(w[i - 2], 17) ^ turn(w[i - 2], 19) ^ (w[i - 2] >> 10);
    w[i] = w[i - 16] + s0 + w[i - 7] + s1;
  }
  for (int i = 0; i < 8; i++) v[i] = hash->state[i];
  for (int i = 0; i < 64; i++) {
    u32 s1 = turn(v[4], 6) ^ turn(v[4], 11) ^ turn(v[4], 25);
    u32 t1 = v[7] + s1 + ((v[4] & v[5]) ^ (~v[4] & v[6])) + constants[i] + w[i];
    u32 s0 = turn(v[0], 2) ^ turn(v[0], 13) ^ turn(v[0], 22);
    u32 t2 = s0 + ((v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]));
    for (int j = 7; j > 0; j--) v[j] = v[j - 1];
    v[4] += t1;
    v[0] = t1 + t2;
  }
  for (int i = 0; i < 8; i++) hash->state[i] += v[i];
}

static void update(struct Hash *hash, const u8 *bytes, u32 count) {
  while (count-- > 0) {
    hash->block[hash->length++ % 64] = *bytes++;
    if (hash->length % 64 == 0) compress(hash);
  }
}

static void finish(struct Hash *hash) {
  u64 bits = 8 * hash->length;
  u8 pad = 0x80;
  do {
    update(hash, &pad, 1);
    pad = 0;
  } while (hash->length % 64 != 56);
  for (int i = 7; i >= 0; i--) {
    u8 byte = bits >> (8 * i);
    update(hash, &byte, 1);
  }
}

static void compute(void) {
  int count = 0;
  for (u32 n = 2; count < 64; n++) {
    int is_prime = 1;
    for (u32 d = 2; d * d <= n; d++) is_prime &= n % d != 0;
    if (is_prime) constants[count++] = cube_root_fraction(n);
  }
  put(constants[0] == 0x428a2f98 && constants[63] == 0xc67178f2);
  u8 message[130];
  for (u32 i = 0; i < sizeof message; i++) message[i] = 7 * i + (i >> 3);
  for (u32 length = 0; length <= sizeof message; length++) {
    struct Hash hash = {.length = 0};
    for (int i = 0; i < 8; i++) hash.state[i] = initial[i];
    u32 first = length / 3;
    update(&hash, message, first);
    update(&hash, message + first, length - first);
    finish(&hash);
    for (int i = 0; i < 8; i++) put(hash.state[i]);
  }
}
