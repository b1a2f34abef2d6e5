// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Turn} from "./Turn.sol";

/// What the moves of a dispute carry: docs/protocol.md tells each field's place in the transcript.

/// How a dispute ended.
enum Ending {
    /// The first move claimed what the submitter claims.
    EqualClaim,
    /// The step changes nothing: the model has stopped, or the descriptor is void.
    Identity,
    Finish,
    Step,
    TimeOut
}

/// What every move carries.
struct Head {
    bytes32 submissionId;
    address submitter;
    address challenger;
    Turn turn;
}

/// The question and the submitter's answer: what the first move needs of the terms.
struct Question {
    bytes32 registrationId;
    /// S_0 and the submitter's S_n.
    bytes32 start;
    bytes32 claim;
    uint64 steps;
    bool finish;
}

/// What the opening of a step needs of the terms.
struct Course {
    bytes32 registrationId;
    uint64 steps;
    bool finish;
}

/// Position of the phases graph and instruction in the challenger's turn: both agree on `low` at `lo`, the challenger
/// claims `high` at `hi`.
struct Interval {
    /// The transcript that the last move continued.
    bytes32 previous;
    /// Hash of the course in the phase graph, zero in the phase instruction.
    bytes32 course;
    uint64 lo;
    uint64 hi;
    bytes32 low;
    bytes32 high;
}

/// The same in the submitter's turn.
struct Round {
    bytes32 previous;
    bytes32 course;
    uint64 lo;
    uint64 hi;
    /// Root over the segments of the round.
    bytes32 root;
}

/// Position of the phases tensor and leaf: the submitter denies `node`.
struct Branch {
    /// The transcript that the last move continued.
    bytes32 previous;
    /// Hash of what was opened.
    bytes32 opened;
    /// Where the denied node stands in the result's tree; level 0 is the leaves.
    uint8 level;
    uint32 index;
    bytes32 node;
}

/// The opened step, and the state root before it, on which both agree.
struct OpenedStep {
    bytes32 registrationId;
    uint64 step;
    bytes32 state;
}

/// The move that opens a node of the graph.
struct NodeOpening {
    /// The stop slot's leaf and path under the agreed state; empty where the model has none.
    bytes32 stopLeaf;
    bytes32[] stopPath;
    /// The rest is not looked at once the model has stopped.
    bytes descriptor;
    bytes32[] programPath;
    /// The result slot's root before and after, and its path. From here on not looked at where the descriptor is void.
    bytes32 oldRoot;
    bytes32 newRoot;
    bytes32[] slotPath;
    /// First round of the phase tensor; empty at height 0 and with *whole*.
    bytes32[] nodes;
}

/// The move that opens a leaf, or a whole result.
struct LeafOpening {
    bytes descriptor;
    /// For each operand in order its root, then its path; nothing for the weights table.
    bytes32[] operands;
    /// F and m of the final-state claim.
    bytes finalState;
    uint64 steps;
    /// The result under F's memory root; empty where F gives zero.
    bytes outputPath;
    /// First round of the phase instruction; empty where m = 1.
    bytes32[] hashes;
}
