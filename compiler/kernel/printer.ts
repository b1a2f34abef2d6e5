/**
 * Kernels as text for people: what `inspect` shows, what errors quote and golden tests hold.
 *
 * Operands are `%0`, `%1` ..., axes `i0`, `i1` ..., the iteration `t`. An i64 constant ends in `L`, an
 * f32 one is written as a number with `f`, or as its bits where a number would not give them back.
 * Nothing reads this text; `serialize.ts` is the form that is stored.
 */
import {
  type Expr,
  f32FromBits,
  f32ToBits,
  type Kernel,
  type ScalarFunction,
  type TensorType,
} from "../ir.ts";

/** A kernel in a few readable lines. */
export function printKernel(kernel: Kernel): string {
  const lines = [
    `kernel ${kernel.name}`,
    ...kernel.operands.map((type, i) => `  %${i}: ${printTensorType(type)}`),
    `  -> ${printTensorType(kernel.result)}`,
    ...kernel.functions.map((fn) => `  ${printFunction(fn)}`),
  ];
  kernel.extents?.forEach((extent, axis) => {
    if (extent) lines.push(`  extent i${axis} < ${printExpr(extent)}`);
  });
  kernel.update?.ranges.forEach((range, axis) => {
    lines.push(
      `  update %${kernel.update!.operand} where i${axis} in ${
        printExpr(range.first)
      } for ${printExpr(range.count)}`,
    );
  });
  return [...lines, `  ${printExpr(kernel.body, "  ")}`].join("\n") + "\n";
}

/** `i8[16, 6] layout 0:2 1:6 0:8`: axis and size of each physical dimension. */
export function printTensorType(type: TensorType): string {
  const layout = type.layout?.map((f) => `${f.axis}:${f.size}`).join(" ");
  return `${type.dtype}[${type.shape.join(", ")}]` +
    (layout === undefined ? "" : ` layout ${layout}`);
}

function printFunction(fn: ScalarFunction): string {
  const params = fn.params.map((p) => `${p.name}: ${p.type}`).join(", ");
  return `fn ${fn.name}(${params}) -> ${fn.result} = ${
    printExpr(fn.body, "  ")
  }`;
}

/** An expression; lets, sums and loops open lines indented by `indent`. */
export function printExpr(expr: Expr, indent = ""): string {
  const inner = indent + "  ";
  const list = (all: readonly Expr[]) =>
    all.map((e) => printExpr(e, indent)).join(", ");
  switch (expr.kind) {
    case "const":
      return printConst(expr.type, expr.value);
    case "axis":
      return `i${expr.axis}`;
    case "iteration":
      return "t";
    case "var":
      return expr.name;
    case "op":
      return `${expr.op}(${list(expr.args)})`;
    case "load":
      return `%${expr.operand}[${list(expr.index)}]`;
    case "call":
      return `${expr.fn}(${list(expr.args)})`;
    case "let":
      return `let ${expr.name} = ${printExpr(expr.value, indent)}\n${indent}${
        printExpr(expr.body, indent)
      }`;
    case "sum":
      return `sum.${expr.type}${expr.lanes === 4 ? ".x4" : ""} ${
        printRange(expr, indent)
      } {\n${inner}${printExpr(expr.term, inner)}\n${indent}}`;
    case "loop": {
      const carry = expr.carry.map((c) =>
        `${inner}${c.name}: ${c.type} = ${printExpr(c.init, inner)} then ${
          printExpr(c.next, inner)
        }\n`
      );
      return `loop ${printRange(expr, indent)} {\n${carry.join("")}${indent}} ${
        printExpr(expr.result, indent)
      }`;
    }
    default:
      return expr satisfies never;
  }
}

function printRange(
  range: { index: string; first: Expr; count: Expr; bound: number },
  indent: string,
): string {
  const count = printExpr(range.count, indent);
  const bound = count === `${range.bound}` ? "" : ` <= ${range.bound}`;
  return `${range.index} from ${
    printExpr(range.first, indent)
  } for ${count}${bound}`;
}

function printConst(type: string, value: number | bigint): string {
  if (type === "i64") return `${value}L`;
  if (type === "i32") return `${value}`;
  const bits = Number(value);
  const x = f32FromBits(bits);
  return Object.is(x, -0) || f32ToBits(x) !== bits || !Number.isFinite(x)
    ? `f32:0x${(bits >>> 0).toString(16).padStart(8, "0")}`
    : `${x}f`;
}
