// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// Mapped paths of docs/formats.md, *Step witness*: a 4-byte map of the siblings that are sent, then these, bottom-up;
/// the others are zero subtrees. The caller says which levels a path has; no proof carries its own depth.
library Tree {
    /// A map that names a level which the path does not have.
    error PathMap(uint256 found, uint256 allowed);
    /// Reads a mapped path for the levels `low` .. `high` - 1 at calldata position `cursor` and returns the node that it
    /// computes at level `high`, and the position after the path. The pairs that were hashed stay at
    /// `pairs` + 64 * level (left, right). `zeros` points to Z_0, Z_1, ... in memory.
    /// Whoever calls this checks the cursor against the end of its data: reading beyond it gives zeros.
    function fold(
        bytes32 node,
        uint256 index,
        uint256 low,
        uint256 high,
        uint256 pairs,
        uint256 zeros,
        uint256 cursor
    ) internal pure returns (bytes32 root, uint256 next) {
        uint256 map;
        assembly ("memory-safe") {
            map := shr(224, calldataload(cursor))
        }
        uint256 allowed = (1 << high) - (1 << low);
        // INVARIANT TREE-1: a map names no level outside the path, so every path has one encoding of its levels.
        if (map & ~allowed != 0) revert PathMap(map, allowed);
        root = node;
        assembly ("memory-safe") {
            next := add(cursor, 4)
            for { let level := low } lt(level, high) { level := add(level, 1) } {
                let pair := add(pairs, shl(6, level))
                let side := shl(5, and(shr(level, index), 1))
                mstore(add(pair, side), root)
                let sibling
                switch and(shr(level, map), 1)
                case 0 { sibling := mload(add(zeros, shl(5, level))) }
                default {
                    sibling := calldataload(next)
                    next := add(next, 0x20)
                }
                mstore(add(pair, xor(side, 0x20)), sibling)
                root := keccak256(pair, 0x40)
            }
        }
    }

    /// As {fold}, with the siblings that an earlier fold left at `pairs`, for a node that has changed.
    function refold(bytes32 node, uint256 index, uint256 low, uint256 high, uint256 pairs)
        internal
        pure
        returns (bytes32 root)
    {
        root = node;
        assembly ("memory-safe") {
            for { let level := low } lt(level, high) { level := add(level, 1) } {
                let pair := add(pairs, shl(6, level))
                mstore(add(pair, shl(5, and(shr(level, index), 1))), root)
                root := keccak256(pair, 0x40)
            }
        }
    }
}
