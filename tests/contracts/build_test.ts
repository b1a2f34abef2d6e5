import { assert, assertEquals, assertThrows } from "@std/assert";
import { artifact, artifactNames } from "../../contracts/artifacts.ts";
import {
  artifactJson,
  compileAll,
  compileFile,
  MAX_CODE_BYTES,
  readSources,
} from "../../contracts/build.ts";
import { ChainLearnError } from "../../fpvm/errors.ts";

Deno.test("compileAll gives the committed artifacts, byte for byte", async () => {
  const built = compileAll(await readSources());
  assertEquals(
    built.map((one) => one.contractName).sort(),
    [...artifactNames] as string[],
    "run tools/build_contracts.ts",
  );
  for (const one of built) {
    const committed = await Deno.readTextFile(
      new URL(
        `../../contracts/artifacts/${one.contractName}.json`,
        import.meta.url,
      ),
    );
    assert(
      artifactJson(one) === committed,
      `${one.contractName} is stale: run tools/build_contracts.ts`,
    );
  }
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
    ["Far.sol", 'pragma solidity ^0.8.28;\nimport "./Absent.sol";\n'],
  ]);
  const error = assertThrows(
    () => compileFile(sources, "Bad.sol"),
    ChainLearnError,
    "Undeclared identifier",
  ) as ChainLearnError;
  assert(
    error.message.startsWith("Cannot compile Bad.sol: expected no errors"),
  );
  assertThrows(
    () => compileFile(sources, "Far.sol"),
    ChainLearnError,
    "expected a source file Absent.sol, found none",
  );
});
