/** A model as one string, every byte of it, for comparing two models. */
import type { Model } from "../../compiler/model/model.ts";

/** JSON of a model with bytes in hexadecimal and bigints marked. */
export function serializeModel(model: Model): string {
  return JSON.stringify(model, (_, x) => {
    if (typeof x === "bigint") return `${x}n`;
    return x instanceof Uint8Array ? x.toHex() : x;
  });
}
