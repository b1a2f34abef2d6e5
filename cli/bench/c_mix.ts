/**
 * A mix of ordinary C for the machine's speed: SHA-256, quicksort, a small interpreter, binary32 arithmetic in integers.
 *
 * It is compiled where a MIPS compiler is installed; it exits with code 0 only if its own results are right.
 */
import { join } from "node:path";
import { ChainLearnError, loadElf, type VmState } from "../../fpvm/mod.ts";

const SOURCE = `
typedef unsigned char u8; typedef unsigned int u32; typedef int i32;
static u32 seed = 1;
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
/* The digest of "abc": FIPS 180-4, example 1. */
static int sha256_is_right(void) {
  u32 state[8] = {0x6a09e667,0xbb67ae85,0x3c6ef372,0xa54ff53a,0x510e527f,0x9b05688c,0x1f83d9ab,0x5be0cd19};
  u32 block[16];
  for (int i = 0; i < 16; i++) block[i] = 0;
  block[0] = 0x61626380; block[15] = 24;
  sha256_block(state, block);
  int right = state[0] == 0xba7816bf && state[7] == 0xf20015ad;
  for (int n = 0; n < ROUNDS * 24; n++) sha256_block(state, state);
  return right && state[0] != 0;
}

static i32 numbers[4096];
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
    for (int i = 0; i < 4096; i++) numbers[i] = next();
    quicksort(numbers, 0, 4095);
    for (int i = 1; i < 4096; i++) if (numbers[i - 1] > numbers[i]) return 0;
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
  u32 stack[16], variables[3] = {0, 0, ROUNDS * 1200}, sum = 0;
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

/* Products and sums of positive normal binary32 numbers, truncated. */
static u32 multiply(u32 a, u32 b) {
  unsigned long long p = (unsigned long long)((a & 0x7fffff) | 0x800000) * ((b & 0x7fffff) | 0x800000);
  int up = (int)(p >> 47);
  return (((a >> 23) + (b >> 23) - 127 + up) << 23) | ((u32)(p >> (23 + up)) & 0x7fffff);
}
static u32 plus(u32 a, u32 b) {
  if (a < b) { u32 t = a; a = b; b = t; }
  u32 shift = (a >> 23) - (b >> 23), exponent = a >> 23;
  u32 sum = ((a & 0x7fffff) | 0x800000) + (shift > 24 ? 0 : ((b & 0x7fffff) | 0x800000) >> shift);
  if (sum >> 24) { sum >>= 1; exponent++; }
  return (exponent << 23) | (sum & 0x7fffff);
}
static int computes(void) {
  u32 x = 0x3f800000, half = 0x3f000000, one = 0x3f800000;
  for (int n = 0; n < ROUNDS * 4000; n++) x = plus(multiply(x, half), one); /* towards 2 */
  return x >= 0x3ffffff0 && x <= 0x40000000;
}

void __start(void) {
  int right = sha256_is_right() && sorts() && interprets() && computes();
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

/** The machine before the first step; `rounds` of about a million steps. Throws where no compiler is installed. */
export async function compileMix(rounds: number): Promise<VmState> {
  const folder = await Deno.makeTempDir();
  try {
    const [source, script, output] = ["mix.c", "mix.ld", "mix"].map((name) =>
      join(folder, name)
    );
    await Deno.writeTextFile(source, SOURCE);
    await Deno.writeTextFile(script, LINKER);
    const compiler = "mipsel-linux-gnu-gcc";
    const { success, stderr } = await new Deno.Command(compiler, {
      args: [
        ...FLAGS.split(" "),
        `-DROUNDS=${rounds}`,
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
