// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Paths} from "./Paths.sol";

/// The state in which the machine starts a leaf program, composed from what is proven: docs/formats.md, *VM state*.
/// All memory is zero but the program at 0 and the input at 0x1000_0000. The same in TypeScript: fpvm/initial_state.ts.
library InitialState {
    /// Height of a sixteenth of memory, 256 MiB: number 0 holds the program, number 1 the input.
    uint256 private constant BLOCK_HEIGHT = 23;
    uint256 private constant MEMORY_HEIGHT = 27;
    /// $sp, register 29.
    uint32 private constant STACK_TOP = 0x3fff_ffe0;

    /// Hash of the initial state. `leaves` holds the input region: leaf 0 is written here, operand j's root stands at 1 + j; at most 32.
    /// The array is used up.
    function hash(
        bytes32 programRoot,
        uint256 programHeight,
        uint32 leafIndex,
        uint32 iteration,
        bytes32[] memory leaves
    ) internal pure returns (bytes32) {
        leaves[0] = bytes32((uint256(littleEndian(leafIndex)) << 224) | (uint256(littleEndian(iteration)) << 192));
        return keccak256(
            abi.encodePacked(
                memoryRoot(programRoot, programHeight, leaves),
                uint32(0), // pc
                uint32(4), // nextPc
                uint64(0), // hi, lo
                uint16(0), // status, exit code
                bytes32(0), // registers 0..7
                bytes32(0), // registers 8..15
                bytes32(0), // registers 16..23
                uint160(0), // registers 24..28
                STACK_TOP,
                uint64(0) // registers 30, 31
            )
        );
    }

    /// Root of the memory that holds the program and the input leaves alone. Folds `leaves` in place.
    function memoryRoot(bytes32 program, uint256 programHeight, bytes32[] memory leaves)
        internal
        pure
        returns (bytes32 node)
    {
        uint256 zeros = Paths.zeros();
        assembly ("memory-safe") {
            let base := add(leaves, 0x20)
            let count := mload(leaves)
            for { let h := 0 } lt(h, BLOCK_HEIGHT) { h := add(h, 1) } {
                let zero := mload(add(zeros, shl(5, h)))
                // Once a single node is left this joins it with zero subtrees on its right.
                let pairs := shr(1, count)
                for { let i := 0 } lt(i, pairs) { i := add(i, 1) } {
                    mstore(add(base, shl(5, i)), keccak256(add(base, shl(6, i)), 0x40))
                }
                if and(count, 1) {
                    mstore(0x00, mload(add(base, shl(6, pairs))))
                    mstore(0x20, zero)
                    mstore(add(base, shl(5, pairs)), keccak256(0x00, 0x40))
                    pairs := add(pairs, 1)
                }
                count := pairs
                if iszero(lt(h, programHeight)) {
                    mstore(0x00, program)
                    mstore(0x20, zero)
                    program := keccak256(0x00, 0x40)
                }
            }
            mstore(0x00, program)
            mstore(0x20, mload(base))
            node := keccak256(0x00, 0x40)
            for { let h := add(BLOCK_HEIGHT, 1) } lt(h, MEMORY_HEIGHT) { h := add(h, 1) } {
                mstore(0x00, node)
                mstore(0x20, mload(add(zeros, shl(5, h))))
                node := keccak256(0x00, 0x40)
            }
        }
    }

    /// The bytes of a word as they stand in memory.
    function littleEndian(uint32 word) internal pure returns (uint32) {
        return (word >> 24) | ((word >> 8) & 0xff00) | ((word << 8) & 0xff0000) | (word << 24);
    }
}
