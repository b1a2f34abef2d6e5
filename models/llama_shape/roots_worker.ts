/** A thread that hashes generated tensors: one message in, one root out. */
import { streamedRoot, type StreamedTensor } from "./roots.ts";

const scope = self as unknown as {
  onmessage: (event: { data: StreamedTensor }) => void;
  postMessage: (root: Uint8Array) => void;
};
scope.onmessage = ({ data }) => scope.postMessage(streamedRoot(data));
