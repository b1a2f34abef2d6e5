// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// Runs the machine on many witnesses in one call, so that a test of thousands of steps takes seconds.
contract StepBatch {
    /// Prestate and poststate of each witness; two zeros where the machine reverted.
    function run(address machine, bytes[] calldata witnesses) external view returns (bytes32[2][] memory hashes) {
        hashes = new bytes32[2][](witnesses.length);
        for (uint256 i = 0; i < witnesses.length; i++) {
            (bool success, bytes memory result) =
                machine.staticcall(abi.encodeWithSignature("step(bytes)", witnesses[i]));
            if (success) (hashes[i][0], hashes[i][1]) = abi.decode(result, (bytes32, bytes32));
        }
    }
}
