/**
 * Compiles the Solidity under `contracts/src` with the npm package `solc`, for those who work on the contracts.
 *
 * Every file is compiled by itself with what it imports, so that an artifact depends on that closure
 * alone: with the IR pipeline the bytecode otherwise changes with unrelated files of the same run.
 * No metadata is appended to the bytecode, so comments do not change it either.
 * Users of ChainLearn never run this: they load the committed artifacts through `artifacts.ts`.
 */
import solc from "solc";
import type { Abi, Hex } from "viem";
import { ChainLearnError } from "../fpvm/mod.ts";

/** What a deployment and a client need of one compiled contract. */
export interface Artifact {
  contractName: string;
  abi: Abi;
  /** Creation code. */
  bytecode: Hex;
  /** Length of the deployed code in bytes; the chain's limit is 24,576. */
  deployedBytes: number;
}

/** The largest code that Ethereum deploys, in bytes (EIP-170). */
export const MAX_CODE_BYTES = 24_576;

/** Compiler settings; `foundry.toml` states the same ones. */
const SOLC_SETTINGS = {
  optimizer: { enabled: true, runs: 1_000_000 },
  evmVersion: "prague",
  viaIR: true,
  metadata: { appendCBOR: false, bytecodeHash: "none" },
} as const;

/** Source text by path relative to the source folder, with `/` as separator. */
export type Sources = Map<string, string>;

interface SolcError {
  severity: string;
  formattedMessage: string;
}

interface SolcContract {
  abi: Abi;
  evm: {
    bytecode: { object: string };
    deployedBytecode: { object: string };
  };
}

interface SolcOutput {
  errors?: SolcError[];
  contracts?: Record<string, Record<string, SolcContract>>;
}

/** Runs the compiler on its standard JSON input and returns its standard JSON output, both as text. */
export function compileStandardJson(input: string): string {
  return solc.compile(input);
}

/** The compiler's version, for example `0.8.37+commit.f5d0ef6d.Emscripten.clang`. */
export function solcVersion(): string {
  return solc.version();
}

/** Reads every `.sol` file below `folder`; the paths are sorted. */
export async function readSources(
  folder: URL = new URL("./src/", import.meta.url),
): Promise<Sources> {
  const found: [string, string][] = [];
  const visit = async (prefix: string): Promise<void> => {
    for await (const entry of Deno.readDir(new URL(prefix, folder))) {
      const path = prefix + entry.name;
      if (entry.isDirectory) await visit(`${path}/`);
      else if (path.endsWith(".sol")) {
        found.push([path, await Deno.readTextFile(new URL(path, folder))]);
      }
    }
  };
  await visit("./");
  return new Map(
    found.map(([path, text]): [string, string] => [path.slice(2), text])
      .sort(([a], [b]) => a < b ? -1 : 1),
  );
}

/** The file of `sources` that holds contract `name`: the one whose name is `name.sol`. */
export function sourceOf(sources: Sources, name: string): string {
  const paths = [...sources.keys()].filter((path) =>
    path.split("/").at(-1) === `${name}.sol`
  );
  if (paths.length !== 1) {
    throw new ChainLearnError(
      `Cannot compile ${name}: expected one file ${name}.sol, found ${paths.length}`,
    );
  }
  return paths[0];
}

/**
 * Compiles one file with what it imports. Returns the artifact of the contract that bears the file's name, or
 * `undefined` where there is none to deploy (an interface, a library, an abstract contract, structures).
 * Throws a {@linkcode ChainLearnError} with the compiler's own text for errors, and for warnings too.
 */
export function compileFile(
  sources: Sources,
  path: string,
): Artifact | undefined {
  const input = compilerInput(sources, path);
  if (input === undefined) return undefined;
  const contractName = nameOf(path);
  const { abi, evm } = compile(path, input).contracts![path][contractName];
  return {
    contractName,
    abi,
    bytecode: `0x${evm.bytecode.object}`,
    deployedBytes: evm.deployedBytecode.object.length / 2,
  };
}

/**
 * The standard JSON input from which the artifact of a file follows: its closure and the settings.
 * `undefined` where the file has no contract to deploy.
 */
export function compilerInput(
  sources: Sources,
  path: string,
): string | undefined {
  const name = nameOf(path);
  const isContract = new RegExp(`^contract ${name}\\b`, "m");
  if (!isContract.test(sources.get(path) ?? "")) return undefined;
  const outputs = [
    "abi",
    "evm.bytecode.object",
    "evm.deployedBytecode.object",
  ];
  return inputOf(closure(sources, path), { [path]: { [name]: outputs } });
}

/**
 * Compiles every file of `sources`; returns what can be deployed, in the order of the files.
 * Files that hold nothing to deploy are checked all the same, in one run that makes no code.
 */
export function compileAll(sources: Sources): Artifact[] {
  checkSources(sources);
  return [...sources.keys()]
    .map((path) => compileFile(sources, path))
    .filter((found) => found !== undefined);
}

/** Parses and type-checks every file of `sources` without making code; throws as {@linkcode compileFile}. */
export function checkSources(sources: Sources): void {
  compile("the sources", inputOf(sources, {}));
}

/** Runs the compiler; `what` names the input in errors. */
function compile(what: string, input: string): SolcOutput {
  const output: SolcOutput = JSON.parse(compileStandardJson(input));
  const problems = (output.errors ?? [])
    .filter((error) => error.severity !== "info")
    .map((error) => error.formattedMessage.trim());
  if (problems.length > 0) {
    throw new ChainLearnError(
      `Cannot compile ${what}: expected no errors and no warnings, found ${problems.length}\n${
        problems.join("\n\n")
      }`,
      { problems },
    );
  }
  return output;
}

/** The compiler's standard JSON input. */
function inputOf(
  sources: Sources,
  outputSelection: Record<string, Record<string, string[]>>,
): string {
  return JSON.stringify({
    language: "Solidity",
    sources: Object.fromEntries(
      [...sources].map(([path, content]) => [path, { content }]),
    ),
    settings: { ...SOLC_SETTINGS, outputSelection },
  });
}

/** The contract that a file is named after. */
function nameOf(path: string): string {
  return path.split("/").at(-1)!.slice(0, -".sol".length);
}

/** The text of an artifact file. */
export function artifactJson(artifact: Artifact): string {
  return `${JSON.stringify(artifact, null, 1)}\n`;
}

/** The text of the artifacts' index: static imports, so that the artifacts are part of a bundled file. */
export function artifactIndex(names: readonly string[]): string {
  const sorted = [...names].sort();
  const imports = sorted.map((name) =>
    `import ${name} from "./${name}.json" with { type: "json" };\n`
  );
  return `// Generated by tools/build_contracts.ts: every artifact of this folder by name.
${imports.join("")}
export default { ${sorted.join(", ")} };
`;
}

/** `path` and everything that it imports, directly or not. */
function closure(sources: Sources, path: string): Sources {
  const reached: Sources = new Map();
  const visit = (at: string, from: string): void => {
    if (reached.has(at)) return;
    const content = sources.get(at);
    if (content === undefined) {
      throw new ChainLearnError(
        `Cannot compile ${from}: expected a source file ${at}, found none`,
      );
    }
    reached.set(at, content);
    for (
      const match of content.matchAll(/^\s*import\b[^;]*?["']([^"']+)["']/gm)
    ) {
      visit(new URL(match[1], `file:///${at}`).pathname.slice(1), at);
    }
  };
  visit(path, path);
  return reached;
}
