/**
 * Writes tests/vectors/vm.json: witnesses with the state hashes before and after the step, and invalid ones.
 *
 * Both tellings of the machine are checked against this file. Run it again when a case is added; with
 * an unchanged machine it changes nothing that was there.
 *
 *     deno run -A tools/make_vm_vectors.ts
 */
import { buildWitness, stepWitness } from "../fpvm/mod.ts";
import { vmCases } from "../tests/fpvm/cases.ts";
import { invalidWitnesses } from "../tests/fpvm/invalid.ts";

const hex = (bytes: Uint8Array) => `0x${bytes.toHex()}`;

const valid = vmCases().map(({ name, state }) => {
  const witness = buildWitness(state);
  const { prestate, poststate } = stepWitness(witness);
  return {
    name,
    witness: hex(witness),
    prestate: hex(prestate),
    poststate: hex(poststate),
  };
});
const invalid = invalidWitnesses().map(({ name, witness }) => ({
  name,
  witness: hex(witness),
}));

const lines = (items: unknown[]) =>
  items.map((item) => JSON.stringify(item)).join(",\n");
const text = `{"valid": [\n${lines(valid)}\n],\n"invalid": [\n${
  lines(invalid)
}\n]}\n`;
const folder = new URL("../tests/vectors/", import.meta.url);
Deno.mkdirSync(folder, { recursive: true });
Deno.writeTextFileSync(new URL("vm.json", folder), text);
console.log(
  `${valid.length} valid and ${invalid.length} invalid witnesses, ${text.length} bytes`,
);
