// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// One output of a final result. `data` is empty where the submitter gave a large output as its tensor root alone.
struct Output {
    bytes32 root;
    bytes data;
}

/// A contract that asked for a result and wants to be called with it.
interface IConsumer {
    /// Called once, when the request is final, by the market and nobody else: check `msg.sender`.
    /// Pin `registrationId`, never the model root alone: it carries clocks, stakes and the period; refuse a `stake` or
    /// a `challengePeriod` below what your use needs, and `backed == false` unless you know the input by other means.
    /// A call that reverts can be retried by anybody; a result that is never taken stays readable by `result`.
    function onResult(
        bytes32 requestId,
        bytes32 registrationId,
        uint256 stake,
        uint256 challengePeriod,
        bool backed,
        Output[] calldata outputs
    ) external;
}
