// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// How a round cuts an interval of steps. The same arithmetic in TypeScript: contracts/segments.ts.
library Segments {
    /// Segments of one round over [lo, hi]: s = min(k, hi - lo).
    function count(uint64 lo, uint64 hi, uint8 k) internal pure returns (uint256) {
        uint256 width = hi - lo;
        return width < k ? width : k;
    }

    /// End of segment j of s, j in 0..s: lo + floor(j * (hi - lo) / s); j = 0 gives lo.
    function end(uint64 lo, uint64 hi, uint256 s, uint256 j) internal pure returns (uint64) {
        // At most hi, and the product of a 64-bit width and j <= 32 cannot wrap.
        return uint64(lo + (j * (hi - lo)) / s);
    }

    /// Root of a round over [low, hashes, high]: leaf j is the pair of hashes at the ends of segment j, so that an
    /// answer proves both by one path. Padded by 32 zero bytes to a power of two; there are hashes.length + 1 segments.
    function root(bytes32 low, bytes32[] calldata hashes, bytes32 high) internal pure returns (bytes32 node) {
        assembly ("memory-safe") {
            // The ends, and behind them room for one more: each pair is hashed where it lies.
            let base := mload(0x40)
            let inner := hashes.length
            mstore(base, low)
            calldatacopy(add(base, 0x20), hashes.offset, shl(5, inner))
            let nodes := add(inner, 1)
            mstore(add(base, shl(5, nodes)), high)
            for { let i := 0 } lt(i, nodes) { i := add(i, 1) } {
                let pair := add(base, shl(5, i))
                mstore(pair, keccak256(pair, 0x40))
            }
            let zero := 0
            for {} gt(nodes, 1) {} {
                mstore(add(base, shl(5, nodes)), zero)
                nodes := shr(1, add(nodes, 1))
                for { let i := 0 } lt(i, nodes) { i := add(i, 1) } {
                    mstore(add(base, shl(5, i)), keccak256(add(base, shl(6, i)), 0x40))
                }
                mstore(0x00, zero)
                mstore(0x20, zero)
                zero := keccak256(0x00, 0x40)
            }
            node := mload(base)
        }
    }
}
