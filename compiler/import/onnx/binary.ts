/** What Add, Sub, Mul and Div share: two operands of one type whose shapes broadcast. */
import { apply, arg, type ScalarFn } from "../../graph/graph.ts";
import type { OnnxOperator } from "./operator.ts";

/** An element-wise operator of two operands; integers only where both are constants. */
export function binaryOperator(name: string, fn: ScalarFn): OnnxOperator {
  return {
    name,
    attributes: {},
    inputs: [2, 2],
    build(context) {
      if (context.opset < 7) {
        context.fail("operator set 7 or later", String(context.opset));
      }
      const inputs = [context.input(0), context.input(1)];
      const [a, b] = inputs.map((id) => context.graph.node(id).dtype);
      if (a !== b) context.fail("operands of one type", `${a} and ${b}`);
      const expr = apply(fn, arg(0), arg(1));
      if (a === "f32") return context.graph.map(expr, inputs, a);
      if (!inputs.every((id) => context.graph.data(id))) {
        context.fail("float32 operands", `${a}: put a Cast to float before it`);
      }
      // Shape arithmetic: integer division truncates.
      const whole = fn === "div" ? apply("trunc", expr) : expr;
      return context.graph.map(whole, inputs, a);
    },
  };
}

/** An element-wise operator of one float operand. */
export function unaryOperator(name: string, fn: ScalarFn): OnnxOperator {
  return {
    name,
    attributes: {},
    inputs: [1, 1],
    build: (context) =>
      context.graph.map(apply(fn, arg(0)), [context.float(0)], "f32"),
  };
}
