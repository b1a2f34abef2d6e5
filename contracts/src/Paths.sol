// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {WrongLength} from "./GameErrors.sol";

/// Proofs in trees of 32-byte leaves whose depth is known: docs/formats.md, *Trees*.
/// A proof never says how deep it is; the caller does, and the length must be exactly that.
library Paths {
    /// The node above two siblings.
    function hashPair(bytes32 left, bytes32 right) internal pure returns (bytes32 node) {
        assembly ("memory-safe") {
            mstore(0x00, left)
            mstore(0x20, right)
            node := keccak256(0x00, 0x40)
        }
    }

    /// Depth of the tree over `count` leaves: ceil(log2(count)); count >= 1.
    function depthOf(uint256 count) internal pure returns (uint256 depth) {
        while ((1 << depth) < count) depth++;
    }

    /// Root that `node` at `index` of its level leads to with the siblings of `path`, bottom-up; `depth` of them.
    function root(bytes32 node, uint256 index, bytes32[] calldata path, uint256 depth) internal pure returns (bytes32) {
        if (path.length != depth) revert WrongLength(depth, path.length);
        for (uint256 i = 0; i < depth; i++) {
            node = index & 1 == 0 ? hashPair(node, path[i]) : hashPair(path[i], node);
            index >>= 1;
        }
        return node;
    }

    /// Root over a power of two of nodes.
    function rootOf(bytes32[] calldata nodes) internal pure returns (bytes32) {
        bytes32[] memory level = nodes;
        for (uint256 width = level.length >> 1; width > 0; width >>= 1) {
            for (uint256 i = 0; i < width; i++) {
                level[i] = hashPair(level[2 * i], level[2 * i + 1]);
            }
        }
        return level[0];
    }

    /// Z_height: the all-zero subtree.
    function zero(uint256 height) internal pure returns (bytes32 node) {
        for (uint256 h = 0; h < height; h++) node = hashPair(node, node);
    }

    /// Root of the tree of `depth` whose leftmost node at level `height` is `node` and all else 32 zero bytes.
    function joinZeros(bytes32 node, uint256 height, uint256 depth) internal pure returns (bytes32) {
        bytes32 sibling = zero(height);
        for (uint256 h = height; h < depth; h++) {
            node = hashPair(node, sibling);
            sibling = hashPair(sibling, sibling);
        }
        return node;
    }
}
