/** The ONNX operators that are understood: one file each, one line here. */
import type { OnnxOperator } from "./operator.ts";
import { add } from "./operators/add.ts";
import { argmax } from "./operators/argmax.ts";
import { averagePool } from "./operators/average_pool.ts";
import { batchNormalization } from "./operators/batch_normalization.ts";
import { cast } from "./operators/cast.ts";
import { clip } from "./operators/clip.ts";
import { concat } from "./operators/concat.ts";
import { constant } from "./operators/constant.ts";
import { conv } from "./operators/conv.ts";
import { cos } from "./operators/cos.ts";
import { div } from "./operators/div.ts";
import { erf } from "./operators/erf.ts";
import { exp } from "./operators/exp.ts";
import { flatten } from "./operators/flatten.ts";
import { gemm } from "./operators/gemm.ts";
import { globalAveragePool } from "./operators/global_average_pool.ts";
import { identity } from "./operators/identity.ts";
import { log } from "./operators/log.ts";
import { logSoftmax } from "./operators/log_softmax.ts";
import { matmul } from "./operators/matmul.ts";
import { maxPool } from "./operators/max_pool.ts";
import { mul } from "./operators/mul.ts";
import { pad } from "./operators/pad.ts";
import { relu } from "./operators/relu.ts";
import { reshape } from "./operators/reshape.ts";
import { sigmoid } from "./operators/sigmoid.ts";
import { sin } from "./operators/sin.ts";
import { softmax } from "./operators/softmax.ts";
import { squeeze } from "./operators/squeeze.ts";
import { sub } from "./operators/sub.ts";
import { tanh } from "./operators/tanh.ts";
import { transpose } from "./operators/transpose.ts";
import { unsqueeze } from "./operators/unsqueeze.ts";

/** Every operator of the ONNX domain that can be imported, by its name. */
export const operators: ReadonlyMap<string, OnnxOperator> = new Map(
  [
    add,
    argmax,
    averagePool,
    batchNormalization,
    cast,
    clip,
    concat,
    constant,
    conv,
    cos,
    div,
    erf,
    exp,
    flatten,
    gemm,
    globalAveragePool,
    identity,
    log,
    logSoftmax,
    matmul,
    maxPool,
    mul,
    pad,
    relu,
    reshape,
    sigmoid,
    sin,
    softmax,
    squeeze,
    sub,
    tanh,
    transpose,
    unsqueeze,
  ].map((operator) => [operator.name, operator]),
);
