// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// Where a dispute is in time, in one word: docs/protocol.md, *Turns*. The same word in TypeScript: contracts/turn.ts.
///
/// Lowest bits first: since 40 | challenger's seconds 32 | submitter's seconds 32 | challenger's transactions 16 |
/// phase 8 | whether it is the submitter's turn 8 | k 8 | q 8 | order of opening 32.
type Turn is uint256;

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

using {since, left, transactions, phase, submitterTurn, k, q, index, spent, counted, into} for Turn global;

uint256 constant SINCE_BITS = 40;
uint256 constant CHALLENGER_LEFT_AT = 40;
uint256 constant SUBMITTER_LEFT_AT = 72;
uint256 constant TRANSACTIONS_AT = 104;
uint256 constant PHASE_AT = 120;
uint256 constant SUBMITTER_TURN_AT = 128;
uint256 constant K_AT = 136;
uint256 constant Q_AT = 144;
uint256 constant INDEX_AT = 152;

/// The turn of a dispute that opens now: the challenger's, with one transaction sent.
function firstTurn(uint32 clock, uint8 k_, uint8 q_, uint32 index_) view returns (Turn) {
    uint256 clocks = uint256(clock) << CHALLENGER_LEFT_AT | uint256(clock) << SUBMITTER_LEFT_AT;
    uint256 fixed_ = uint256(k_) << K_AT | uint256(q_) << Q_AT | uint256(index_) << INDEX_AT;
    return Turn.wrap(
        uint40(block.timestamp) | clocks | 1 << TRANSACTIONS_AT | uint256(Phase.Reveal) << PHASE_AT | fixed_
    );
}

/// When the running clock was started.
function since(Turn turn) pure returns (uint256) {
    return uint40(Turn.unwrap(turn));
}

/// Seconds left, when the running clock was started, to the side whose turn it is.
function left(Turn turn) pure returns (uint256) {
    return uint32(Turn.unwrap(turn) >> (turn.submitterTurn() ? SUBMITTER_LEFT_AT : CHALLENGER_LEFT_AT));
}

/// Transactions of the challenger, the opening included.
function transactions(Turn turn) pure returns (uint256) {
    return uint16(Turn.unwrap(turn) >> TRANSACTIONS_AT);
}

/// The number of the phase.
function phase(Turn turn) pure returns (uint256) {
    return uint8(Turn.unwrap(turn) >> PHASE_AT);
}

function submitterTurn(Turn turn) pure returns (bool) {
    return uint8(Turn.unwrap(turn) >> SUBMITTER_TURN_AT) != 0;
}

/// Segments per round of the phases graph and instruction.
function k(Turn turn) pure returns (uint8) {
    return uint8(Turn.unwrap(turn) >> K_AT);
}

/// Levels per round of the phase tensor.
function q(Turn turn) pure returns (uint8) {
    return uint8(Turn.unwrap(turn) >> Q_AT);
}

/// Position in the order of opening, from 0.
function index(Turn turn) pure returns (uint32) {
    return uint32(Turn.unwrap(turn) >> INDEX_AT);
}

/// Takes `elapsed`, at most what is left, from the side whose turn it is, and starts the clock anew.
function spent(Turn turn, uint256 elapsed) view returns (Turn) {
    uint256 shift = turn.submitterTurn() ? SUBMITTER_LEFT_AT : CHALLENGER_LEFT_AT;
    uint256 rest = Turn.unwrap(turn) - (elapsed << shift);
    return Turn.wrap(rest >> SINCE_BITS << SINCE_BITS | uint40(block.timestamp));
}

/// One more transaction of the challenger; at 65,535 it stays.
function counted(Turn turn) pure returns (Turn) {
    if (turn.transactions() == type(uint16).max) return turn;
    return Turn.wrap(Turn.unwrap(turn) + (1 << TRANSACTIONS_AT));
}

/// The turn of one side in a phase.
function into(Turn turn, Phase phase_, bool submitter) pure returns (Turn) {
    uint256 rest = Turn.unwrap(turn) & ~(uint256(0xffff) << PHASE_AT);
    return Turn.wrap(rest | uint256(phase_) << PHASE_AT | uint256(submitter ? 1 : 0) << SUBMITTER_TURN_AT);
}
