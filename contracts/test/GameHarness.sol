// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Descriptor} from "../src/Descriptor.sol";
import {InitialState} from "../src/InitialState.sol";
import {Segments} from "../src/Segments.sol";

/// The game's pure parts with a door, so that tests can compare them with their TypeScript counterparts.
contract GameHarness {
    function voids(bytes[] calldata descriptors, uint32 weights, uint32 slots) external pure returns (bool[] memory list) {
        list = new bool[](descriptors.length);
        for (uint256 i = 0; i < list.length; i++) list[i] = Descriptor.isVoid(descriptors[i], weights, slots);
    }

    /// Inner ends of [lo, hi] in rounds of k.
    function innerEnds(uint64 lo, uint64 hi, uint8 k) external pure returns (uint64[] memory list) {
        uint256 s = Segments.count(lo, hi, k);
        list = new uint64[](s - 1);
        for (uint256 j = 1; j < s; j++) list[j - 1] = Segments.end(lo, hi, s, j);
    }

    function initialState(bytes32 root, uint256 height, uint32 leaf, uint32 iteration, bytes32[] memory operands)
        external
        pure
        returns (bytes32)
    {
        bytes32[] memory leaves = new bytes32[](1 + operands.length);
        for (uint256 i = 0; i < operands.length; i++) leaves[1 + i] = operands[i];
        return InitialState.hash(root, height, leaf, iteration, leaves);
    }
}
