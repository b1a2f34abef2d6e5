// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {WrongLength, WrongMap, WrongResult, WrongRoot, WrongStepCount} from "./GameErrors.sol";
import {Paths} from "./Paths.sol";

/// The claim of how a program ends: state F after m steps, and what result that state gives. docs/protocol.md, *Final-state claim*.
/// Every program has exactly one result under these rules, also one that traps or never stops.
library FinalState {
    uint256 private constant STATE_BYTES = 178;
    uint256 private constant STATUS_AT = 48;
    uint256 private constant EXIT_CODE_AT = 49;
    uint256 private constant MEMORY_HEIGHT = 27;
    /// Index of the leaf at 0x2000_0000.
    uint256 private constant OUTPUT_LEAF = 0x2000_0000 / 32;

    /// Checks that (F, m) gives `result`, a node of `height` (0 for a leaf, more with *whole*); returns F's hash.
    /// `outputPath` proves the result under F's memory root where F exited with code 0, and is empty otherwise.
    function check(
        bytes calldata state,
        uint64 steps,
        uint64 maxSteps,
        bytes32 result,
        uint256 height,
        bytes calldata outputPath
    ) internal pure returns (bytes32) {
        // INVARIANT GAME-24: the claimed final state is 178 bytes, whole and not more.
        if (state.length != STATE_BYTES) revert WrongLength(STATE_BYTES, state.length);
        uint64 limit = maxSteps == 0 ? 1 : maxSteps;
        // INVARIANT GAME-25: the claimed number of steps is in 1..max(1, maxSteps).
        if (steps == 0 || steps > limit) revert WrongStepCount(steps, limit);
        uint8 status = uint8(state[STATUS_AT]);
        // INVARIANT GAME-26: a program that still runs ends only at the limit.
        if (status == 0 && steps != limit) revert WrongStepCount(steps, limit);
        if (status == 1 && uint8(state[EXIT_CODE_AT]) == 0) {
            // INVARIANT GAME-27: after exit 0 the result stands at 0x2000_0000 under the claimed memory root.
            bytes32 found = outputRoot(result, height, outputPath);
            if (found != bytes32(state[0:32])) revert WrongRoot(bytes32(state[0:32]), found);
        } else {
            // INVARIANT GAME-28: a program that traps, exits otherwise or never stops gives zero.
            if (outputPath.length != 0) revert WrongLength(0, outputPath.length);
            bytes32 zero = Paths.zero(height);
            if (result != zero) revert WrongResult(zero, result);
        }
        return keccak256(state);
    }

    /// Memory root that `node` of `height` at 0x2000_0000 leads to; the path's encoding is that of a step witness:
    /// a 4-byte map of the siblings that are sent, then these; the others are zero subtrees.
    function outputRoot(bytes32 node, uint256 height, bytes calldata path) internal pure returns (bytes32 root) {
        if (path.length < 4) revert WrongLength(4, path.length);
        uint32 map = uint32(bytes4(path[0:4]));
        if (map >> MEMORY_HEIGHT != 0 || map & ((1 << height) - 1) != 0) revert WrongMap(map);
        // The bytes are counted first, so that nothing beyond them is read.
        uint256 end = 4;
        for (uint256 rest = map; rest != 0; rest &= rest - 1) end += 32;
        if (end != path.length) revert WrongLength(end, path.length);
        uint256 zeros = Paths.zeros();
        assembly ("memory-safe") {
            root := node
            let next := add(path.offset, 4)
            let index := shr(height, OUTPUT_LEAF)
            for { let h := height } lt(h, MEMORY_HEIGHT) { h := add(h, 1) } {
                let side := shl(5, and(index, 1))
                index := shr(1, index)
                mstore(side, root)
                switch and(shr(h, map), 1)
                case 0 { mstore(xor(side, 0x20), mload(add(zeros, shl(5, h)))) }
                default {
                    mstore(xor(side, 0x20), calldataload(next))
                    next := add(next, 0x20)
                }
                root := keccak256(0x00, 0x40)
            }
        }
    }
}
