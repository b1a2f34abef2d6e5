/**
 * The compiled contracts by name, for deployments and clients.
 *
 * The JSON files beside it are committed and rebuilt by `tools/build_contracts.ts`; a test compiles the
 * sources again and compares. Nothing here compiles.
 */
import type { Abi, Hex } from "viem";
import { ChainLearnError } from "../fpvm/mod.ts";
import index from "./artifacts/index.ts";
import type { Artifact } from "./build.ts";

export type { Artifact } from "./build.ts";

/** Name of a contract that has an artifact. */
export type ArtifactName = keyof typeof index & string;

/** As the JSON files are typed: the strings and the ABI's entries without their literal types. */
interface ArtifactFile {
  contractName: string;
  abi: unknown[];
  bytecode: string;
  deployedBytes: number;
}

const files: Record<string, ArtifactFile> = index;

/** The names of all artifacts, sorted. */
export const artifactNames = Object.keys(files).sort() as ArtifactName[];

/** The artifact of contract `name`; throws when there is none. */
export function artifact(name: ArtifactName): Artifact {
  const file = files[name];
  if (!file) {
    throw new ChainLearnError(
      `Cannot load the artifact ${name}: expected one of ${
        artifactNames.join(", ")
      }, found no such name`,
    );
  }
  return {
    ...file,
    abi: file.abi as Abi,
    bytecode: file.bytecode as Hex,
  };
}
