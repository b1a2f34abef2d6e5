// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// The machine's state: a memory pointer to its 178 packed bytes, big-endian fields, with room for one word after them.
///
/// memoryRoot 32 | pc 4 | nextPc 4 | hi 4 | lo 4 | status 1 | exitCode 1 | registers 32 x 4
type VmState is uint256;

using {
    hash,
    memoryRoot,
    setMemoryRoot,
    pc,
    nextPc,
    setPcs,
    advance,
    hiLo,
    setHiLo,
    status,
    setStatus,
    register,
    setRegister
} for VmState global;

uint256 constant STATE_BYTES = 178;

uint256 constant RUNNING = 0;
uint256 constant EXITED = 1;
uint256 constant TRAPPED = 2;

uint256 constant U32 = 0xffffffff;
uint256 constant U64 = 0xffffffffffffffff;

/// A preimage whose register 0 is not zero.
error RegisterZero(uint256 found);

/// Copies the state out of calldata, from position `cursor`.
function readState(uint256 cursor) pure returns (VmState state) {
    assembly ("memory-safe") {
        state := mload(0x40)
        calldatacopy(state, cursor, STATE_BYTES)
        mstore(0x40, add(state, 224))
    }
    // INVARIANT VM-1: register 0 of every state is zero.
    uint256 zero = state.register(0);
    if (zero != 0) revert RegisterZero(zero);
}

function hash(VmState state) pure returns (bytes32 digest) {
    assembly ("memory-safe") {
        digest := keccak256(state, STATE_BYTES)
    }
}

function memoryRoot(VmState state) pure returns (bytes32 root) {
    assembly ("memory-safe") {
        root := mload(state)
    }
}

function setMemoryRoot(VmState state, bytes32 root) pure {
    assembly ("memory-safe") {
        mstore(state, root)
    }
}

function pc(VmState state) pure returns (uint256 value) {
    assembly ("memory-safe") {
        value := shr(224, mload(add(state, 32)))
    }
}

function nextPc(VmState state) pure returns (uint256 value) {
    assembly ("memory-safe") {
        value := shr(224, mload(add(state, 36)))
    }
}

/// Sets pc and nextPc; both are taken modulo 2^32.
function setPcs(VmState state, uint256 current, uint256 next) pure {
    assembly ("memory-safe") {
        let position := add(state, 32)
        let both := or(shl(32, and(current, U32)), and(next, U32))
        mstore(position, or(shl(192, both), shr(64, shl(64, mload(position)))))
    }
}

/// On to the next instruction, out of a delay slot too.
function advance(VmState state) pure {
    uint256 next = state.nextPc();
    unchecked {
        state.setPcs(next, next + 4);
    }
}

/// HI and LO as one number of 64 bits.
function hiLo(VmState state) pure returns (uint256 value) {
    assembly ("memory-safe") {
        value := shr(192, mload(add(state, 40)))
    }
}

/// Sets HI and LO from a number that is taken modulo 2^64.
function setHiLo(VmState state, uint256 value) pure {
    assembly ("memory-safe") {
        let position := add(state, 40)
        mstore(position, or(shl(192, value), shr(64, shl(64, mload(position)))))
    }
}

function status(VmState state) pure returns (uint256 value) {
    assembly ("memory-safe") {
        value := byte(16, mload(add(state, 32)))
    }
}

function setStatus(VmState state, uint256 value, uint256 exitCode) pure {
    assembly ("memory-safe") {
        mstore8(add(state, 48), value)
        mstore8(add(state, 49), exitCode)
    }
}

/// Register `index`, which is taken modulo 32.
function register(VmState state, uint256 index) pure returns (uint256 value) {
    assembly ("memory-safe") {
        value := shr(224, mload(add(add(state, 50), shl(2, and(index, 31)))))
    }
}

/// Sets register `index` (modulo 32) to `value` modulo 2^32; register 0 stays zero.
function setRegister(VmState state, uint256 index, uint256 value) pure {
    assembly ("memory-safe") {
        index := and(index, 31)
        if index {
            let position := add(add(state, 50), shl(2, index))
            mstore(position, or(shl(224, value), shr(32, shl(32, mload(position)))))
        }
    }
}
