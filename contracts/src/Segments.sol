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
}
