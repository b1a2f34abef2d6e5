// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// Structures that the market and the dispute game share. Byte layouts: docs/formats.md.

/// What the model root fixes and a dispute needs; proven once, at registration.
struct ModelShape {
    bytes32 programRoot;
    bytes32 weightsRoot;
    uint32 nodes;
    uint32 weights;
    uint32 slots;
    uint32 kept;
    /// Slot whose first word stops the model, or NO_SLOT.
    uint32 stopSlot;
}

uint32 constant NO_SLOT = type(uint32).max;

/// All that a dispute needs of the market, fixed when it opens.
struct Terms {
    bytes32 registrationId;
    bytes32 submissionId;
    address submitter;
    address challenger;
    /// S_0, derived by the market from the request.
    bytes32 start;
    /// S_n as the submitter revealed it.
    bytes32 claim;
    /// n: iterations * nodes, and 1 more with the finish step.
    uint64 steps;
    bool finish;
    /// Segments per round of the phases graph and instruction, 2..32.
    uint8 k;
    /// Levels per round of the phase tensor, 1..5.
    uint8 q;
    /// Seconds per side, total.
    uint32 clock;
    /// Position in the order of opening, from 0.
    uint32 index;
}

/// What the game asks of the registry.
interface IRegistryOfGame {
    function shape(bytes32 registrationId) external view returns (ModelShape memory);
}

/// What the game tells the market. All but the verdicts is what the market itself gave when it opened the dispute.
interface IMarketOfGame {
    /// Called once by the game when a dispute ends by play or by time.
    function disputeResolved(
        bytes32 disputeId,
        bytes32 submissionId,
        uint32 index,
        address challenger,
        bool challengerWon
    ) external;

    /// Called once by the game for a dispute that another one has overtaken: how many transactions the challenger sent
    /// in it, and the base fee of the block in which the submission fell.
    function disputeReturned(
        bytes32 disputeId,
        bytes32 submissionId,
        uint32 index,
        address challenger,
        uint256 transactions,
        uint256 baseFee
    ) external;
}

/// What the market asks of the game.
interface IGameOfMarket {
    /// Opens a dispute: the challenger's clock starts; his first move must hash to `commitment`. Refuses a used id.
    function open(bytes32 disputeId, Terms calldata terms, bytes32 commitment) external;
}

/// The machine: docs/formats.md, *Step witness*.
interface IStepVm {
    /// Executes one instruction. Reverts for every invalid witness, never for a valid one.
    function step(bytes calldata witness) external view returns (bytes32 prestate, bytes32 poststate);
}
