/** The sizes of a LLaMA model; everything else of its graph follows from them. */

export interface LlamaShape {
  /** Width of the residual stream. */
  readonly dim: number;
  readonly layers: number;
  /** Attention heads; each has dim / heads elements, an even number. */
  readonly heads: number;
  /** Width between the feed-forward projections. */
  readonly hidden: number;
  readonly vocabulary: number;
  /** Most tokens of a conversation, prompt included. */
  readonly context: number;
  /** Most tokens of a prompt. */
  readonly prompt: number;
  /** The token that ends the conversation. */
  readonly endToken: number;
}

/** The first LLaMA of 7 billion parameters. */
export const LLAMA_7B: LlamaShape = {
  dim: 4096,
  layers: 32,
  heads: 32,
  hidden: 11008,
  vocabulary: 32000,
  context: 2048,
  prompt: 512,
  endToken: 2,
};
