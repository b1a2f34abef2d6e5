import { assert, assertEquals, assertThrows } from "@std/assert";
import { artifact, artifactNames } from "../../contracts/artifacts.ts";
import {
  artifactIndex,
  artifactJson,
  checkSources,
  compileFile,
  compilerInput,
  MAX_CODE_BYTES,
  readSources,
  solcVersion,
} from "../../contracts/build.ts";
import { ChainLearnError } from "../../fpvm/errors.ts";

const contracts = new URL("../../contracts/", import.meta.url);

/** Beside forge's cache, and like it not committed: a fresh checkout compiles everything. */
const verifiedFile = new URL("cache/verified_artifacts.txt", contracts);

/** Digests of (compiler input, artifact) pairs that this machine has compiled and found equal. */
async function readVerified(): Promise<Set<string>> {
  try {
    return new Set((await Deno.readTextFile(verifiedFile)).split("\n"));
  } catch {
    return new Set();
  }
}

async function digestOf(text: string): Promise<string> {
  const bytes = new TextEncoder().encode(text);
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex();
}

Deno.test("compileFile gives every committed artifact, byte for byte", async () => {
  const sources = await readSources();
  const verified = await readVerified();
  const names: string[] = [];
  for (const path of sources.keys()) {
    const input = compilerInput(sources, path);
    if (input === undefined) continue;
    const name = path.split("/").at(-1)!.slice(0, -".sol".length);
    names.push(name);
    const committed = await Deno.readTextFile(
      new URL(`artifacts/${name}.json`, contracts),
    );
    const digest = await digestOf([solcVersion(), input, committed].join("\0"));
    if (verified.has(digest)) continue;
    const text = artifactJson(compileFile(sources, path)!);
    assert(text === committed, `${name}: run tools/build_contracts.ts`);
    verified.add(digest);
  }
  assertEquals(names.sort(), [...artifactNames] as string[]);
  await Deno.mkdir(new URL("cache/", contracts), { recursive: true });
  await Deno.writeTextFile(verifiedFile, [...verified].join("\n"));
});

Deno.test("artifactIndex gives the committed index, byte for byte", async () => {
  const committed = await Deno.readTextFile(
    new URL("artifacts/index.ts", contracts),
  );
  assertEquals(artifactIndex([...artifactNames].reverse()), committed);
});

Deno.test("checkSources finds every source free of errors and warnings", async () => {
  checkSources(await readSources());
});

Deno.test("artifact names only contracts that fit the chain's code size limit", () => {
  for (const name of artifactNames) {
    const { deployedBytes, bytecode, contractName } = artifact(name);
    assertEquals(contractName, name as string);
    assert(deployedBytes > 0 && deployedBytes <= MAX_CODE_BYTES, name);
    assert(bytecode.length > 2 * deployedBytes, name);
  }
});

Deno.test("compileFile throws the compiler's own text", () => {
  const sources = new Map([
    ["Bad.sol", "pragma solidity ^0.8.28;\ncontract Bad { uint x = y; }\n"],
    [
      "Far.sol",
      'pragma solidity ^0.8.28;\nimport "./Absent.sol";\ncontract Far {}\n',
    ],
  ]);
  const error = assertThrows(
    () => compileFile(sources, "Bad.sol"),
    ChainLearnError,
    "Undeclared identifier",
  );
  assert(
    error.message.startsWith("Cannot compile Bad.sol: expected no errors"),
  );
  assertThrows(
    () => compileFile(sources, "Far.sol"),
    ChainLearnError,
    "expected a source file Absent.sol, found none",
  );
});
