// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// A node's descriptor, read from its bytes: docs/formats.md, *Node descriptor*.
/// The same reader in TypeScript: compiler/model/descriptor.ts.
library Descriptor {
    uint256 internal constant HEADER = 52;
    uint256 internal constant OPERAND = 8;
    uint256 internal constant MAX_PROGRAM_HEIGHT = 19;
    uint256 internal constant MAX_HEIGHT = 26;
    uint256 internal constant MAX_OPERANDS = 31;

    uint256 internal constant WEIGHT = 0;
    uint256 internal constant SLOT = 1;
    uint256 internal constant WEIGHTS_TABLE = 2;

    /// Whether some field is out of range, so that the node's step leaves the state unchanged.
    function isVoid(bytes calldata d, uint32 weights, uint32 slots) internal pure returns (bool) {
        if (d.length < HEADER) return true;
        uint256 count = operands(d);
        if (count > MAX_OPERANDS || d.length != HEADER + OPERAND * count) return true;
        if (uint8(d[33]) > 1 || programHeight(d) > MAX_PROGRAM_HEIGHT) return true;
        if (resultHeight(d) > (whole(d) ? MAX_PROGRAM_HEIGHT : MAX_HEIGHT)) return true;
        if (resultSlot(d) >= slots || bytes4(d[48:52]) != 0) return true;
        for (uint256 j = 0; j < count; j++) {
            (uint256 kind, uint256 index) = operand(d, j);
            uint256 from = HEADER + OPERAND * j;
            if (uint8(d[from + 1]) > MAX_HEIGHT || bytes2(d[from + 2:from + 4]) != 0) return true;
            if (kind > WEIGHTS_TABLE) return true;
            if (index >= (kind == WEIGHT ? weights : kind == SLOT ? slots : 1)) return true;
        }
        return false;
    }

    function programRoot(bytes calldata d) internal pure returns (bytes32) {
        return bytes32(d[0:32]);
    }

    function programHeight(bytes calldata d) internal pure returns (uint256) {
        return uint8(d[32]);
    }

    /// Whether one run of the program gives the whole result, so that there is no phase tensor.
    function whole(bytes calldata d) internal pure returns (bool) {
        return uint8(d[33]) & 1 == 1;
    }

    function resultHeight(bytes calldata d) internal pure returns (uint256) {
        return uint8(d[34]);
    }

    function operands(bytes calldata d) internal pure returns (uint256) {
        return uint8(d[35]);
    }

    function maxSteps(bytes calldata d) internal pure returns (uint64) {
        return uint64(bytes8(d[36:44]));
    }

    function resultSlot(bytes calldata d) internal pure returns (uint32) {
        return uint32(bytes4(d[44:48]));
    }

    /// Kind and index of operand j.
    function operand(bytes calldata d, uint256 j) internal pure returns (uint256 kind, uint256 index) {
        uint256 from = HEADER + OPERAND * j;
        kind = uint8(d[from]);
        index = uint32(bytes4(d[from + 4:from + 8]));
    }
}
