/**
 * A lint plugin: what `compiler/` may not use, because two machines must make the same bytes.
 *
 * ECMAScript leaves the accuracy of Math.exp and its kind, and of `**`, to the engine; clocks, random
 * numbers and locales differ from run to run. Only the exact members of Math pass, and only where the
 * name is visible (`Math.floor(x)`), so that an alias or a destructuring cannot hide another one.
 * Other folders are left alone.
 */

/** Members of Math whose result ECMAScript fixes to the last bit. */
const EXACT = new Set([
  "abs",
  "floor",
  "ceil",
  "round",
  "trunc",
  "min",
  "max",
  "sqrt",
  "imul",
  "clz32",
  "fround",
  "sign",
]);

/** Globals that differ between machines or runs, and those through which one could reach them. */
const FORBIDDEN: Record<string, string> = {
  Date: "a date",
  performance: "a clock",
  crypto: "random numbers",
  Intl: "a locale",
  globalThis: "a way around this rule",
  window: "a way around this rule",
  self: "a way around this rule",
};

/** The repository, as the paths that the linter passes begin. */
const root = decodeURIComponent(new URL("../", import.meta.url).pathname)
  .replace(/^\/(?=[A-Za-z]:)/, "");

function isInCompiler(filename: string): boolean {
  const path = filename.replace(/^file:\/\//, "").replaceAll("\\", "/");
  const inside = path.startsWith(root) ? path.slice(root.length) : path;
  return inside.startsWith("compiler/");
}

type Node = Deno.lint.Node;

/** The name that a member expression or a property reads, if it stands there in the open. */
function memberName(
  node: Deno.lint.MemberExpression,
): string | undefined {
  const { property, computed } = node;
  if (!computed && property.type === "Identifier") return property.name;
  return property.type === "Literal" && typeof property.value === "string"
    ? property.value
    : undefined;
}

function isWholeNumber(node: Node): boolean {
  return node.type === "Literal" &&
    (typeof node.value === "bigint" ||
      (typeof node.value === "number" && Number.isInteger(node.value)));
}

/** True for a mention of the global, false for a property or a member that has its name. */
function isReference(node: Deno.lint.Identifier): boolean {
  const parent = node.parent as Node;
  switch (parent.type) {
    case "MemberExpression":
      return parent.object === node || parent.computed;
    case "Property":
      return parent.value === node || parent.computed;
    case "MethodDefinition":
    case "PropertyDefinition":
      return parent.key !== node || parent.computed;
    case "TSPropertySignature":
    case "TSMethodSignature":
      return false;
    default:
      return true;
  }
}

function isExactMath(node: Deno.lint.Identifier): boolean {
  const parent = node.parent as Node;
  if (parent.type !== "MemberExpression" || parent.object !== node) {
    return false;
  }
  const name = memberName(parent);
  return name !== undefined && EXACT.has(name);
}

const rule: Deno.lint.Rule = {
  create(context) {
    if (!isInCompiler(context.filename)) return {};
    const report = (node: Node, message: string) =>
      context.report({
        node,
        message,
        hint:
          "Use + - * / and sqrt in fixed order, or functions of the kernel IR",
      });
    return {
      Identifier(node) {
        if (!isReference(node)) return;
        if (node.name === "Math" && !isExactMath(node)) {
          report(node, "Math is used beyond its exact members");
        } else if (Object.hasOwn(FORBIDDEN, node.name)) {
          report(node, `${node.name} is ${FORBIDDEN[node.name]}`);
        }
      },
      MemberExpression(node) {
        const name = memberName(node);
        if (name === "localeCompare" || name?.startsWith("toLocale")) {
          report(node, `${name} depends on the locale`);
        }
      },
      BinaryExpression(node) {
        if (node.operator !== "**") return;
        if (isWholeNumber(node.left) && isWholeNumber(node.right)) return;
        report(node, "** is as inexact as Math.pow");
      },
      AssignmentExpression(node) {
        if (node.operator === "**=") {
          report(node, "** is as inexact as Math.pow");
        }
      },
    };
  },
};

export default {
  name: "determinism",
  rules: { "exact-arithmetic": rule },
} satisfies Deno.lint.Plugin;
