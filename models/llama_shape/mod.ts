/**
 * A model of LLaMA's shape with generated weights, for measurements: as large as the real one, and nowhere stored.
 *
 * @example
 * ```ts
 * import { llamaModel, LLAMA_7B } from "../../compiler/mod.ts";
 * import { generatedWeights } from "./mod.ts";
 *
 * const shape = { ...LLAMA_7B, layers: 1, dim: 64, heads: 4, hidden: 96 };
 * const model = llamaModel(shape, generatedWeights(1));
 * console.log(model.nodes.length); // 32
 * ```
 *
 * @module
 */
export { generatedWeights, streamBytes } from "./generated.ts";
export { generatedRoots } from "./roots.ts";
