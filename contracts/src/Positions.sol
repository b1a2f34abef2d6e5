// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Branch, Course, Head, Interval, OpenedStep, Question, Round} from "./GameTypes.sol";
import {Paths} from "./Paths.sol";
import {Turn} from "./Turn.sol";

/// Hashes of positions and transcripts: docs/protocol.md, *Positions and transcripts*. The same in TypeScript:
/// contracts/game_view.ts.
library Positions {
    // Structures of words lie in memory as abi.encode would write them, cleaned by the decoder: hashed where they stand.

    /// keccak256 of the head's four words with this turn, and the position's hash.
    function transcriptOf(Head calldata head, Turn turn, bytes32 position) internal pure returns (bytes32 transcript) {
        assembly ("memory-safe") {
            let words := mload(0x40)
            calldatacopy(words, head, 0x60)
            mstore(add(words, 0x60), turn)
            mstore(add(words, 0x80), position)
            transcript := keccak256(words, 0xa0)
        }
    }

    function revealHash(Question memory question, bytes32 commitment) internal pure returns (bytes32) {
        bytes32 fields;
        assembly ("memory-safe") {
            fields := keccak256(question, 0xa0)
        }
        return Paths.hashPair(fields, commitment);
    }

    function courseHash(Course memory course) internal pure returns (bytes32 hash) {
        assembly ("memory-safe") {
            hash := keccak256(course, 0x60)
        }
    }

    function openedHash(OpenedStep memory opened, bytes32 descriptor) internal pure returns (bytes32) {
        bytes32 fields;
        assembly ("memory-safe") {
            fields := keccak256(opened, 0x60)
        }
        return Paths.hashPair(fields, descriptor);
    }

    function hashOf(Interval memory position) internal pure returns (bytes32 hash) {
        assembly ("memory-safe") {
            hash := keccak256(position, 0xc0)
        }
    }

    function hashOf(Round memory position) internal pure returns (bytes32 hash) {
        assembly ("memory-safe") {
            hash := keccak256(position, 0xa0)
        }
    }

    /// The nodes of a round are under `node` already.
    function hashOf(Branch memory position) internal pure returns (bytes32 hash) {
        assembly ("memory-safe") {
            hash := keccak256(position, 0xa0)
        }
    }
}
