// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// What the dispute game stores, and what its moves carry: docs/protocol.md tells each field's place in the transcript.

enum Phase {
    None,
    /// The challenger owes the preimage of his commitment.
    Reveal,
    /// Over the steps of the model: low and high are state roots.
    Graph,
    /// Down the tree of the opened node's result.
    Tensor,
    /// The denied node is what one run of the program gives.
    Leaf,
    /// Over the steps of the machine: low and high are hashes of its states.
    Instruction,
    Resolved
}

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

/// All that is stored of a dispute: two words.
struct Dispute {
    /// keccak256(hash of the terms | hash of the position).
    bytes32 transcript;
    /// When the running clock was started.
    uint40 since;
    /// Seconds left to each side at that time.
    uint32 challengerLeft;
    uint32 submitterLeft;
    /// Transactions of the challenger, the opening included.
    uint16 transactions;
    Phase phase;
    bool submitterTurn;
}

/// Position of the phases graph and instruction: both agree on `low` at `lo`, the challenger claims `high` at `hi`.
struct Interval {
    /// The transcript that the last move continued.
    bytes32 previous;
    uint64 lo;
    uint64 hi;
    bytes32 low;
    bytes32 high;
}

/// Position of the phases tensor and leaf: the submitter denies `node`.
struct Branch {
    /// The transcript that the last move continued.
    bytes32 previous;
    /// The opened step, and the state root before it, on which both agree.
    uint64 step;
    bytes32 state;
    /// keccak256 of the opened node's descriptor.
    bytes32 descriptor;
    /// Where the denied node stands in the result's tree; level 0 is the leaves.
    uint8 level;
    uint32 index;
    bytes32 node;
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
