/** The seeded generator of the property tests; it lives with the random kernels that it makes. */
export { Random } from "../compiler/conformance/mod.ts";
