// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

error WrongSize(uint256 n, uint256 a, uint256 b);

/// A product of two int8 matrices on chain: what a dispute is compared with. Never deployed with the product.
///
/// Written to be cheap: eight columns of `b` share a word, in lanes of 32 bits, so that one multiplication serves eight
/// products. The lanes are digits of one number modulo 2^256 and may be negative in between: all of it is linear, and at
/// the end an offset makes every digit positive. `a` is read with 128 added, which saves its sign's extension.
contract Matmul {
    /// 1 in every lane.
    uint256 private constant ONES = 0x0000000100000001000000010000000100000001000000010000000100000001;
    uint256 private constant FLIP = 0x8080808080808080808080808080808080808080808080808080808080808080;

    /// c = a * b for n by n matrices, row-major; c has big-endian int32 elements. n is a multiple of 16 below 2^16.
    function product(uint256 n, bytes calldata a, bytes calldata b) external pure returns (bytes memory c) {
        if (n % 16 != 0 || n >> 16 != 0 || a.length != n * n || b.length != n * n) {
            revert WrongSize(n, a.length, b.length);
        }
        assembly ("memory-safe") {
            c := mload(0x40)
            mstore(c, mul(4, mul(n, n)))
            // Behind the result: the eight columns at work, a word for each row.
            let columns := add(add(c, 0x20), mload(c))
            let end := add(columns, mul(0x20, n))
            mstore(0x40, end)
            for { let j := 0 } lt(j, n) { j := add(j, 8) } {
                // 128 times the sum of the columns is what the 128 in `a` adds; 2^31 makes the digits positive.
                let start := mul(ONES, 0x80000000)
                let source := add(b.offset, j)
                for { let p := columns } lt(p, end) { p := add(p, 0x20) } {
                    let x := shr(192, xor(calldataload(source), FLIP))
                    x := and(or(x, shl(96, x)), 0x000000000000000000000000ffffffff000000000000000000000000ffffffff)
                    x := and(or(x, shl(48, x)), 0x000000000000ffff000000000000ffff000000000000ffff000000000000ffff)
                    x := and(or(x, shl(24, x)), 0x000000ff000000ff000000ff000000ff000000ff000000ff000000ff000000ff)
                    x := sub(x, mul(ONES, 0x80))
                    mstore(p, x)
                    start := sub(start, shl(7, x))
                    source := add(source, n)
                }
                let target := add(add(c, 0x20), mul(4, j))
                let q := a.offset
                for { let i := 0 } lt(i, n) { i := add(i, 1) } {
                    let sum := start
                    for { let p := columns } lt(p, end) { p := add(p, 0x200) } {
                        let x := xor(calldataload(q), FLIP)
                        sum := add(sum, mul(byte(0, x), mload(p)))
                        sum := add(sum, mul(byte(1, x), mload(add(p, 0x20))))
                        sum := add(sum, mul(byte(2, x), mload(add(p, 0x40))))
                        sum := add(sum, mul(byte(3, x), mload(add(p, 0x60))))
                        sum := add(sum, mul(byte(4, x), mload(add(p, 0x80))))
                        sum := add(sum, mul(byte(5, x), mload(add(p, 0xa0))))
                        sum := add(sum, mul(byte(6, x), mload(add(p, 0xc0))))
                        sum := add(sum, mul(byte(7, x), mload(add(p, 0xe0))))
                        sum := add(sum, mul(byte(8, x), mload(add(p, 0x100))))
                        sum := add(sum, mul(byte(9, x), mload(add(p, 0x120))))
                        sum := add(sum, mul(byte(10, x), mload(add(p, 0x140))))
                        sum := add(sum, mul(byte(11, x), mload(add(p, 0x160))))
                        sum := add(sum, mul(byte(12, x), mload(add(p, 0x180))))
                        sum := add(sum, mul(byte(13, x), mload(add(p, 0x1a0))))
                        sum := add(sum, mul(byte(14, x), mload(add(p, 0x1c0))))
                        sum := add(sum, mul(byte(15, x), mload(add(p, 0x1e0))))
                        q := add(q, 16)
                    }
                    mstore(target, xor(sum, mul(ONES, 0x80000000)))
                    target := add(target, mul(4, n))
                }
            }
        }
    }
}
