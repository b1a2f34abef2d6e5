/** C programs compiled for the machine and for this computer, for tests that compare what they print. */
import { assertEquals } from "@std/assert";

/** Sources in `programs/`; each writes 256 bytes. */
export const C_PROGRAMS = [
  "sort.c",
  "arithmetic.c",
  "hash.c",
  "sha256.c",
  "interpreter.c",
  "softfloat.c",
  "strings.c",
] as const;

const FLAGS =
  "-mips32r2 -EL -msoft-float -ffreestanding -mno-abicalls -fno-pic -no-pie -static -nostdlib -G0 -ffunction-sections -Wl,--build-id=none -T vm.ld";

/** Compiles a source with these arguments and gives the file to `use`, which goes when it is done. */
async function withCompiled<T>(
  compiler: string,
  args: string[],
  source: string,
  use: (path: string) => Promise<T>,
): Promise<T> {
  const path = await Deno.makeTempFile({ suffix: ".elf" });
  try {
    const { code, stderr } = await new Deno.Command(compiler, {
      args: [...args, "-Wall", "-Werror", "-o", path, source],
      cwd: new URL("programs/", import.meta.url).pathname,
    }).output();
    assertEquals(code, 0, new TextDecoder().decode(stderr));
    return await use(path);
  } finally {
    await Deno.remove(path);
  }
}

/** An executable for the machine, which QEMU runs too. */
export function compileC(
  source: string,
  optimization: string,
): Promise<Uint8Array> {
  const args = [...FLAGS.split(" "), optimization];
  return withCompiled("mipsel-linux-gnu-gcc", args, source, Deno.readFile);
}

/** What the program writes when it is compiled for this computer and run. */
export function nativeOutput(
  source: string,
  optimization: string,
): Promise<Uint8Array> {
  return withCompiled("gcc", [optimization], source, async (path) => {
    await Deno.chmod(path, 0o755);
    const { code, stdout } = await new Deno.Command(path).output();
    assertEquals(code, 0, source);
    return stdout;
  });
}
