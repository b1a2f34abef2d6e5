// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {DataTooLong, ProofLength} from "./MarketErrors.sol";

/// Trees of 32-byte leaves, as docs/formats.md, *Trees*, sets them down: tensors and slots.
/// No depth is ever taken from a proof: the caller passes what the model root fixes.
library TensorTree {
    /// Depth of a tree over `count` leaves, ceil(log2(count)); 0 for 0 and 1.
    function depthOf(uint256 count) internal pure returns (uint256 depth) {
        while ((uint256(1) << depth) < count) depth++;
    }

    /// Height of a tensor of `byteLength` bytes.
    function heightOf(uint256 byteLength) internal pure returns (uint256) {
        return depthOf((byteLength + 31) / 32);
    }

    /// Root of `data`, padded here by zeros to 32 << height bytes. Costs about 110 gas per present leaf.
    function root(bytes calldata data, uint256 height) internal pure returns (bytes32 node) {
        // INVARIANT MARKET-1: no byte of the data is left out of its root.
        if (data.length > (uint256(32) << height)) revert DataTooLong(data.length, uint256(32) << height);
        uint256 base;
        uint256 count = data.length == 0 ? 1 : (data.length + 31) / 32;
        assembly ("memory-safe") {
            // One word more than the leaves, for the fold. The last leaf is cleared first: memory may be dirty.
            base := mload(0x40)
            mstore(0x40, add(base, shl(5, add(count, 1))))
            mstore(add(base, shl(5, sub(count, 1))), 0)
            calldatacopy(base, data.offset, data.length)
        }
        return _fold(base, count, 0, height);
    }

    /// Root at `height` over `nodes`, consecutive subtrees of height `from`, the first at the left edge; the rest is zero.
    /// Overwrites `nodes`. The caller makes sure that 1 <= nodes.length <= 1 << (height - from).
    function join(bytes32[] memory nodes, uint256 from, uint256 height) internal pure returns (bytes32) {
        uint256 base;
        assembly ("memory-safe") {
            base := add(nodes, 32)
        }
        // An odd count pads one word past the end, which may be somebody else's: the last pair goes through a copy.
        if (nodes.length & 1 == 1 && height > from) {
            bytes32[] memory padded = new bytes32[](nodes.length + 1);
            for (uint256 i = 0; i < nodes.length; i++) padded[i] = nodes[i];
            assembly ("memory-safe") {
                base := add(padded, 32)
            }
        }
        return _fold(base, nodes.length, from, height);
    }

    /// Root of a slots tree in which the leaves `slots` hold `values` and `siblings` the rest: level by level upwards,
    /// in each level from left to right, one sibling for every node whose neighbour is not itself computed.
    /// Sorts and overwrites its arguments. The caller makes sure that `slots` are distinct and below 1 << depth.
    function slotsRoot(uint256[] memory slots, bytes32[] memory values, uint256 depth, bytes32[] memory siblings)
        internal
        pure
        returns (bytes32)
    {
        _sort(slots, values);
        uint256 count = slots.length;
        uint256 used = 0;
        for (uint256 level = 0; level < depth; level++) {
            uint256 kept = 0;
            for (uint256 i = 0; i < count; i++) {
                uint256 slot = slots[i];
                bytes32 node = values[i];
                if (slot & 1 == 0 && i + 1 < count && slots[i + 1] == slot + 1) {
                    node = hashPair(node, values[++i]);
                } else {
                    // INVARIANT MARKET-2: a slots proof has exactly the siblings that the model root's depth asks for.
                    if (used == siblings.length) revert ProofLength(siblings.length);
                    bytes32 sibling = siblings[used++];
                    node = slot & 1 == 0 ? hashPair(node, sibling) : hashPair(sibling, node);
                }
                slots[kept] = slot >> 1;
                values[kept++] = node;
            }
            count = kept;
        }
        if (used != siblings.length) revert ProofLength(siblings.length);
        return values[0];
    }

    /// The root at `depth` of a tree whose left edge holds `node` at height `from` and is zero elsewhere.
    function extend(bytes32 node, uint256 from, uint256 depth) internal pure returns (bytes32) {
        bytes32[] memory nodes = new bytes32[](1);
        nodes[0] = node;
        return join(nodes, from, depth);
    }

    function hashPair(bytes32 left, bytes32 right) internal pure returns (bytes32 node) {
        assembly ("memory-safe") {
            mstore(0, left)
            mstore(32, right)
            node := keccak256(0, 64)
        }
    }

    /// Folds `count` nodes of height `from` at `base` in place; may write one word behind them.
    function _fold(uint256 base, uint256 count, uint256 from, uint256 height) private pure returns (bytes32 node) {
        assembly ("memory-safe") {
            let zero := 0
            for { let level := 0 } lt(level, height) { level := add(level, 1) } {
                if iszero(lt(level, from)) {
                    let pairs := shr(1, add(count, 1))
                    if and(count, 1) { mstore(add(base, shl(5, count)), zero) }
                    for { let i := 0 } lt(i, pairs) { i := add(i, 1) } {
                        mstore(add(base, shl(5, i)), keccak256(add(base, shl(6, i)), 64))
                    }
                    count := pairs
                }
                mstore(0, zero)
                mstore(32, zero)
                zero := keccak256(0, 64)
            }
            node := mload(base)
        }
    }

    /// Insertion sort: the lists are short, and usually sorted.
    function _sort(uint256[] memory slots, bytes32[] memory values) private pure {
        for (uint256 i = 1; i < slots.length; i++) {
            uint256 slot = slots[i];
            bytes32 value = values[i];
            uint256 j = i;
            for (; j > 0 && slots[j - 1] > slot; j--) {
                slots[j] = slots[j - 1];
                values[j] = values[j - 1];
            }
            slots[j] = slot;
            values[j] = value;
        }
    }
}
