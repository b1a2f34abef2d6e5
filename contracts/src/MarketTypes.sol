// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

// At most this many disputes of a fallen submission are compensated, in order of opening.
uint256 constant COMPENSATED_DISPUTES = 16;

/// Bounds of one deployment, fixed for ever by its constructor. Money in wei, durations in seconds.
struct Limits {
    uint128 minStake;
    uint128 minChallengerStake;
    uint128 maxChallengerStake;
    uint128 minShare;
    uint128 minCompensation;
    /// Flat gas that a compensation counts for one transaction of a challenger.
    uint32 transactionGas;
    uint32 minChallengePeriod;
    uint32 minClock;
    uint32 minRevealWindow;
    uint32 maxChallengePeriod;
    uint32 maxClock;
    uint32 maxRevealWindow;
    uint32 maxSubmitWindow;
    uint32 maxCallbackGas;
    uint8 maxReopenings;
}

/// The attention challenge's part of a registration. Every field is zero: the market refuses anything else so far.
struct Attention {
    uint32 maxOpen;
    uint128 bond;
    uint128 wage;
    uint256 threshold;
    uint32 answerWindow;
    uint32 accusationWindow;
}

/// What a registrant chooses. A request may ask for more stake, period and clock, never for less.
struct Parameters {
    uint128 minStake;
    uint128 challengerStake;
    /// Of the loser's stake, to the winner.
    uint128 share;
    /// At most this of a fallen submitter's stake to each of the first 16 other open disputes.
    uint128 compensation;
    uint32 challengePeriod;
    uint32 clock;
    uint32 revealWindow;
    uint8 maxReopenings;
    uint8 k;
    uint8 q;
    Attention attention;
}

/// The part of the parameters that a dispute needs: nine words that follow each other in a stored registration.
struct DisputeTerms {
    uint128 challengerStake;
    uint128 share;
    uint128 compensation;
    uint32 challengePeriod;
    uint32 clock;
    uint32 revealWindow;
    uint8 maxReopenings;
    uint8 k;
    uint8 q;
}

/// The fixed head of a stored registration; the preimage and the siblings follow it.
struct Registration {
    bytes32 modelRoot;
    address registrant;
    uint32 modelLength;
    uint32 siblings;
    Parameters parameters;
}

enum InputSource {
    /// The bytes themselves.
    Bytes,
    /// Roots of uploaded chunks of 32 << chunkHeight bytes, the last one shorter.
    Chunks,
    /// A tensor root whose preimage the contract never saw: unbacked.
    Root
}

/// One input of role data; `data` or `roots` is used, by `source`.
struct InputData {
    InputSource source;
    uint8 chunkHeight;
    bytes data;
    bytes32[] roots;
}

struct RequestSpec {
    bytes32 registrationId;
    uint64 iterations;
    bytes32 seed;
    /// 16.16 fixed.
    uint32 temperature;
    uint32 topK;
    /// 0.32 fixed.
    uint32 topP;
    uint128 stake;
    uint32 challengePeriod;
    uint32 clock;
    uint32 submitWindow;
    uint128 fee;
    /// The requester himself, or zero for no callback.
    address callback;
    uint32 callbackGas;
    /// Whether a last step clears all slots but the kept ones.
    bool finish;
    uint256 nonce;
}

enum RequestStatus {
    None,
    Open,
    Committed,
    Revealed,
    Final,
    Refunded
}

enum CallbackStatus {
    None,
    Delivered,
    Pending
}

struct Request {
    bytes32 registrationId;
    /// S_0.
    bytes32 start;
    address requester;
    uint40 openedAt;
    uint32 submitWindow;
    RequestStatus status;
    CallbackStatus callback;
    uint8 reopenings;
    uint128 fee;
    uint128 stake;
    uint64 steps;
    uint32 challengePeriod;
    uint32 clock;
    uint32 callbackGas;
    bool finish;
    bool backed;
    bool callsBack;
    /// The live or final submission.
    bytes32 submissionId;
}

enum SubmissionStatus {
    None,
    Committed,
    Revealed,
    Fallen,
    Final
}

struct Submission {
    bytes32 requestId;
    address submitter;
    /// Time and block of the commit, then of the reveal.
    uint40 since;
    uint48 sinceBlock;
    SubmissionStatus status;
    /// S_n.
    bytes32 claim;
    /// Where the revealed outputs are stored.
    address outputs;
    uint32 disputes;
    uint32 openDisputes;
    /// Bit i: dispute i of this submission, in order of opening, is open.
    uint16 openFirst;
}
