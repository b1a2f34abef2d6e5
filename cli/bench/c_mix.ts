/**
 * A mix of ordinary C for the machine's speed: SHA-256, quicksort, a small interpreter, IEEE binary32 in integers.
 *
 * It is compiled where a MIPS compiler is installed; it exits with code 0 only if its own results are right: digests
 * from node:crypto, sums and products from this computer's own arithmetic, a sum of squares, a sorted permutation.
 */
import { createHash } from "node:crypto";
import { join } from "node:path";
import { ChainLearnError, loadElf, type VmState } from "../../fpvm/mod.ts";

const SOURCE = `
typedef unsigned char u8; typedef unsigned int u32; typedef int i32;
static u32 seed __attribute__((used)) = 1;
static u32 next(void) { seed ^= seed << 13; seed ^= seed >> 17; seed ^= seed << 5; return seed; }
static u32 turn(u32 x, int n) { return (x >> n) | (x << (32 - n)); }

static const u32 K[64] = {
0x428a2f98,0x71374491,0xb5c0fbcf,0xe9b5dba5,0x3956c25b,0x59f111f1,0x923f82a4,0xab1c5ed5,0xd807aa98,0x12835b01,0x243185be,
0x550c7dc3,0x72be5d74,0x80deb1fe,0x9bdc06a7,0xc19bf174,0xe49b69c1,0xefbe4786,0x0fc19dc6,0x240ca1cc,0x2de92c6f,0x4a7484aa,
0x5cb0a9dc,0x76f988da,0x983e5152,0xa831c66d,0xb00327c8,0xbf597fc7,0xc6e00bf3,0xd5a79147,0x06ca6351,0x14292967,0x27b70a85,
0x2e1b2138,0x4d2c6dfc,0x53380d13,0x650a7354,0x766a0abb,0x81c2c92e,0x92722c85,0xa2bfe8a1,0xa81a664b,0xc24b8b70,0xc76c51a3,
0xd192e819,0xd6990624,0xf40e3585,0x106aa070,0x19a4c116,0x1e376c08,0x2748774c,0x34b0bcb5,0x391c0cb3,0x4ed8aa4a,0x5b9cca4f,
0x682e6ff3,0x748f82ee,0x78a5636f,0x84c87814,0x8cc70208,0x90befffa,0xa4506ceb,0xbef9a3f7,0xc67178f2};
static void sha256_block(u32 *state, const u32 *block) {
  u32 w[64], v[8];
  for (int i = 0; i < 16; i++) w[i] = block[i];
  for (int i = 16; i < 64; i++)
    w[i] = w[i - 16] + (turn(w[i - 15], 7) ^ turn(w[i - 15], 18) ^ (w[i - 15] >> 3)) + w[i - 7] +
      (turn(w[i - 2], 17) ^ turn(w[i - 2], 19) ^ (w[i - 2] >> 10));
  for (int i = 0; i < 8; i++) v[i] = state[i];
  for (int i = 0; i < 64; i++) {
    u32 t1 = v[7] + (turn(v[4], 6) ^ turn(v[4], 11) ^ turn(v[4], 25)) + ((v[4] & v[5]) ^ (~v[4] & v[6])) + K[i] + w[i];
    u32 t2 = (turn(v[0], 2) ^ turn(v[0], 13) ^ turn(v[0], 22)) + ((v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]));
    for (int j = 7; j > 0; j--) v[j] = v[j - 1];
    v[4] += t1; v[0] = t1 + t2;
  }
  for (int i = 0; i < 8; i++) state[i] += v[i];
}
/* Example 1 of FIPS 180-4, then a long message of which the digest is known. */
static void sha256_start(u32 *state) {
  static const u32 initial[8] = {0x6a09e667,0xbb67ae85,0x3c6ef372,0xa54ff53a,0x510e527f,0x9b05688c,0x1f83d9ab,0x5be0cd19};
  for (int i = 0; i < 8; i++) state[i] = initial[i];
}
static int hashes(void) {
  static const u32 abc[8] = {0xba7816bf,0x8f01cfea,0x414140de,0x5dae2223,0xb00361a3,0x96177a9c,0xb410ff61,0xf20015ad};
  static const u32 expected[8] = {LONG_DIGEST};
  u32 state[8], block[16], differ = 0;
  sha256_start(state);
  for (int i = 0; i < 16; i++) block[i] = 0;
  block[0] = 0x61626380; block[15] = 24;
  sha256_block(state, block);
  for (int i = 0; i < 8; i++) differ |= state[i] ^ abc[i];
  sha256_start(state);
  for (int i = 0; i < 16; i++) block[i] = 0x61616161;
  for (int n = 0; n < SHA_BLOCKS; n++) sha256_block(state, block);
  for (int i = 0; i < 16; i++) block[i] = 0;
  block[0] = 0x80000000; block[15] = SHA_BLOCKS * 512;
  sha256_block(state, block);
  for (int i = 0; i < 8; i++) differ |= state[i] ^ expected[i];
  return differ == 0;
}

static i32 numbers[1600];
static void quicksort(i32 *a, int low, int high) {
  while (low < high) {
    i32 pivot = a[(low + high) / 2]; int i = low, j = high;
    while (i <= j) {
      while (a[i] < pivot) i++;
      while (a[j] > pivot) j--;
      if (i <= j) { i32 t = a[i]; a[i++] = a[j]; a[j--] = t; }
    }
    quicksort(a, low, j);
    low = i;
  }
}
static int sorts(void) {
  for (int n = 0; n < ROUNDS; n++) {
    u32 sum = 0;
    for (int i = 0; i < 1600; i++) sum += numbers[i] = next();
    quicksort(numbers, 0, 1599);
    for (int i = 1; i < 1600; i++) if (numbers[i - 1] > numbers[i]) return 0;
    for (int i = 0; i < 1600; i++) sum -= numbers[i];
    if (sum != 0) return 0;
  }
  return 1;
}

/* Bytecode: the sum of squares below n by a stack machine of ten instructions. */
enum { PUSH, LOAD, STORE, ADD, MUL, LESS, JUMP_IF, JUMP, HALT, NOP };
static int interprets(void) {
  static const u8 code[] = { PUSH, 0, STORE, 0, PUSH, 0, STORE, 1,
    LOAD, 1, LOAD, 2, LESS, JUMP_IF, 17, JUMP, 32,
    LOAD, 0, LOAD, 1, LOAD, 1, MUL, ADD, STORE, 0, LOAD, 1, JUMP, 33, NOP, HALT,
    PUSH, 1, ADD, STORE, 1, JUMP, 8 };
  u32 stack[16], variables[3] = {0, 0, ROUNDS * 725}, sum = 0;
  int pc = 0, top = 0;
  for (;;) {
    switch (code[pc++]) {
      case PUSH: stack[top++] = code[pc++]; break;
      case LOAD: stack[top++] = variables[code[pc++]]; break;
      case STORE: variables[code[pc++]] = stack[--top]; break;
      case ADD: top--; stack[top - 1] += stack[top]; break;
      case MUL: top--; stack[top - 1] *= stack[top]; break;
      case LESS: top--; stack[top - 1] = stack[top - 1] < stack[top]; break;
      case JUMP_IF: pc = stack[--top] ? code[pc] : pc + 1; break;
      case JUMP: pc = code[pc]; break;
      case NOP: break;
      case HALT:
        for (u32 i = 0; i < variables[2]; i++) sum += i * i;
        return sum == variables[0];
    }
  }
}

/* IEEE 754 binary32 in integers, round to nearest even, with subnormals, infinities and one NaN. */
#define NAN32 0x7fc00000u
static u32 shift_right_sticky(u32 x, u32 n) {
  return n == 0 ? x : n > 31 ? x != 0 : (x >> n) | ((x << (32 - n)) != 0);
}
/* Rounds and packs a significand with its leading bit at 30 (or below it, if the exponent is 0 or less) and 7 bits below the last place. */
static u32 pack(u32 sign, i32 exponent, u32 significand) {
  if (exponent < 1) { significand = shift_right_sticky(significand, 1 - exponent); exponent = 1; }
  u32 low = significand & 127;
  significand = (significand + 64) >> 7;
  if (low == 64) significand &= ~1u;
  /* Without the hidden bit the number is subnormal; a carry out of the significand raises the exponent by itself. */
  u32 bits = ((u32)(exponent - 1) << 23) + significand;
  return sign | (bits >= 0x7f800000u ? 0x7f800000u : bits);
}
static u32 multiply(u32 a, u32 b) {
  u32 sign = (a ^ b) & 0x80000000u;
  i32 ea = (a >> 23) & 255, eb = (b >> 23) & 255;
  u32 fa = a & 0x7fffff, fb = b & 0x7fffff;
  if (ea == 255 || eb == 255) {
    if ((ea == 255 && fa) || (eb == 255 && fb) || (ea | fa) == 0 || (eb | fb) == 0) return NAN32;
    return sign | 0x7f800000u;
  }
  if ((ea | fa) == 0 || (eb | fb) == 0) return sign;
  if (ea == 0) { int n = __builtin_clz(fa) - 8; fa <<= n; ea = 1 - n; } else fa |= 0x800000;
  if (eb == 0) { int n = __builtin_clz(fb) - 8; fb <<= n; eb = 1 - n; } else fb |= 0x800000;
  unsigned long long product = (unsigned long long)fa * fb; /* leading bit at 46 or 47 */
  i32 exponent = ea + eb - 127;
  u32 high = (u32)(product >> 16) | ((u32)(product << 16) != 0);
  if (high >> 31) { high = (high >> 1) | (high & 1); exponent++; }
  return pack(sign, exponent, high);
}
static u32 plus(u32 a, u32 b) {
  if ((a & 0x7fffffff) < (b & 0x7fffffff)) { u32 t = a; a = b; b = t; }
  i32 ea = (a >> 23) & 255, eb = (b >> 23) & 255;
  u32 fa = a & 0x7fffff, fb = b & 0x7fffff, sign = a & 0x80000000u;
  if (ea == 255) return fa || (eb == 255 && (fb || (a ^ b) >> 31)) ? NAN32 : a;
  if (ea == 0) ea = 1; else fa |= 0x800000;
  if (eb == 0) eb = 1; else fb |= 0x800000;
  fa <<= 7; fb = shift_right_sticky(fb << 7, ea - eb);
  if (((a ^ b) >> 31) == 0) {
    fa += fb;
    if (fa >> 31) { fa = (fa >> 1) | (fa & 1); ea++; }
    return pack(sign, ea, fa);
  }
  fa -= fb;
  if (fa == 0) return (a & b) & 0x80000000u;
  int n = __builtin_clz(fa) - 1;
  if (n > ea - 1) n = ea - 1;
  return pack(sign, ea - n, fa << n);
}
static int computes(void) {
  static const u32 cases[][4] = {FLOAT_CASES};
  for (u32 i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    const u32 *c = cases[i];
    if (plus(c[0], c[1]) != c[2] || multiply(c[0], c[1]) != c[3]) return 0;
  }
  u32 x = LOGISTIC_START;
  for (int n = 0; n < LOGISTIC_STEPS; n++) x = multiply(multiply(LOGISTIC_RATE, x), plus(0x3f800000, x ^ 0x80000000u));
  return x == LOGISTIC_END;
}

void __start(void) {
  int right = (!(PARTS & 1) || hashes()) && (!(PARTS & 2) || sorts()) && (!(PARTS & 4) || interprets()) && (!(PARTS & 8) || computes());
  register u32 v0 __asm__("$2") = 4001;
  register u32 a0 __asm__("$4") = !right;
  __asm__ volatile("syscall" : : "r"(v0), "r"(a0) : "memory");
}
`;

const LINKER = `ENTRY(__start)
PHDRS { text PT_LOAD FLAGS(5); data PT_LOAD FLAGS(6); }
SECTIONS {
  . = 0x10000;
  .text : { *(.text .text.*) } :text
  .rodata : { *(.rodata .rodata.*) } :text
  . = 0x30000000;
  .data : { *(.data .data.*) } :data
  .bss : { *(.bss .bss.* COMMON) } :data
  /DISCARD/ : { *(.MIPS.abiflags .reginfo .pdr .note* .comment .eh_frame* .gnu.attributes .mdebug*) }
}
`;

const FLAGS =
  "-mips32r2 -EL -msoft-float -ffreestanding -fno-builtin -mno-abicalls -fno-pic -no-pie -static -nostdlib -G0 -O2 -fno-tree-loop-distribute-patterns -Wl,--build-id=none";

/** Parts of the mix, each of about a quarter of its steps. */
export const MIX_PARTS = ["sha", "sort", "interpreter", "float"] as const;

const words = new Uint32Array(1);
const floats = new Float32Array(words.buffer);
const hex = (word: number) => `0x${(word >>> 0).toString(16)}u`;
const valueOf = (bits: number): number => {
  words[0] = bits;
  return floats[0];
};
/** binary32 bits of a number; a double is exact enough for one sum or product to be rounded once more. */
const bitsOf = (value: number): number => {
  floats[0] = value;
  return Number.isNaN(value) ? 0x7fc00000 : words[0];
};

/** All pairs of numbers at which binary32 goes wrong, with their sums and products. */
function floatCases(): string {
  // deno-fmt-ignore
  const edges = [
    0, 0x80000000, 1, 0x80000001, 2, 0x007fffff, 0x807fffff, 0x00800000, 0x00800001, 0x33800000, 0x34000000, 0x34400001,
    0x3f000000, 0x3f7fffff, 0x3f800000, 0xbf800000, 0x3f800001, 0xbf800002, 0x40490fdb, 0x4b000001, 0xcb7fffff,
    0x1fffffff, 0x20000000, 0x7f000000, 0x7f7fffff, 0xff7fffff, 0x7f800000, 0xff800000, 0x7fc00000,
  ];
  return edges.flatMap((a) =>
    edges.map((b) => {
      const [x, y] = [valueOf(a), valueOf(b)];
      return `{${[a, b, bitsOf(x + y), bitsOf(x * y)].map(hex)}}`;
    })
  ).join();
}

/** What the program computes and must find, as macros of the preprocessor. */
function macros(rounds: number, parts: number): Record<string, string> {
  const blocks = 42 * rounds;
  const digest = createHash("sha256").update("a".repeat(64 * blocks)).digest();
  const steps = 1250 * rounds;
  const [rate, start] = [Math.fround(3.9), Math.fround(0.3)];
  let x = start;
  for (let i = 0; i < steps; i++) {
    x = Math.fround(Math.fround(rate * x) * Math.fround(1 - x));
  }
  return {
    ROUNDS: `${rounds}`,
    PARTS: `${parts}`,
    SHA_BLOCKS: `${blocks}`,
    LONG_DIGEST: [0, 4, 8, 12, 16, 20, 24, 28]
      .map((at) => hex(digest.readUInt32BE(at))).join(),
    FLOAT_CASES: floatCases(),
    LOGISTIC_STEPS: `${steps}`,
    LOGISTIC_RATE: hex(bitsOf(rate)),
    LOGISTIC_START: hex(bitsOf(start)),
    LOGISTIC_END: hex(bitsOf(x)),
  };
}

/**
 * The machine before the first step; `rounds` of about a million steps, or a quarter of them for one part alone.
 * Throws where no compiler is installed.
 */
export async function compileMix(
  rounds: number,
  part?: (typeof MIX_PARTS)[number],
): Promise<VmState> {
  const parts = part === undefined ? 15 : 1 << MIX_PARTS.indexOf(part);
  const defines = Object.entries(macros(rounds, parts))
    .map(([name, value]) => `#define ${name} ${value}\n`).join("");
  const folder = await Deno.makeTempDir();
  try {
    const [source, script, output] = ["mix.c", "mix.ld", "mix"].map((name) =>
      join(folder, name)
    );
    await Deno.writeTextFile(source, defines + SOURCE);
    await Deno.writeTextFile(script, LINKER);
    const compiler = "mipsel-linux-gnu-gcc";
    const { success, stderr } = await new Deno.Command(compiler, {
      args: [
        ...FLAGS.split(" "),
        `-Wl,-T,${script}`,
        ...["-o", output, source],
      ],
      stderr: "piped",
    }).output().catch((cause) => {
      throw new ChainLearnError(
        `Cannot compile the C mix: expected ${compiler}, found none`,
        { exitCode: 3, cause, hint: "apt-get install gcc-mipsel-linux-gnu" },
      );
    });
    if (!success) {
      throw new ChainLearnError(
        `Cannot compile the C mix: expected ${compiler} to succeed, found:\n${
          new TextDecoder().decode(stderr)
        }`,
        { exitCode: 3 },
      );
    }
    return loadElf(await Deno.readFile(output));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}
