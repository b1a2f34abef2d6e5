// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// The cheat codes of forge that the tests use (selected by name, so the order does not matter).
interface ICheatCodes {
    function assume(bool condition) external pure;
    function deal(address account, uint256 balance) external;
    function etch(address account, bytes calldata code) external;
    function expectEmit(bool topic1, bool topic2, bool topic3, bool data) external;
    function expectRevert() external;
    function expectRevert(bytes4 selector) external;
    function expectRevert(bytes calldata data) external;
    function load(address account, bytes32 slot) external view returns (bytes32);
    function parseJsonBytes(string calldata json, string calldata key) external pure returns (bytes memory);
    function parseJsonBytesArray(string calldata json, string calldata key) external pure returns (bytes[] memory);
    function parseJsonBytes32(string calldata json, string calldata key) external pure returns (bytes32);
    function parseJsonUint(string calldata json, string calldata key) external pure returns (uint256);
    function prank(address sender) external;
    function readFile(string calldata path) external view returns (string memory);
    function roll(uint256 blockNumber) external;
    function startPrank(address sender) external;
    function stopPrank() external;
    function store(address account, bytes32 slot, bytes32 value) external;
    function toString(uint256 value) external pure returns (string memory);
    function toString(bytes32 value) external pure returns (string memory);
    function warp(uint256 timestamp) external;
}

/// Base of the tests that forge runs: cheat codes and assertions, nothing else.
/// A test is a function whose name starts with `test`; it fails by reverting.
/// The optimizer takes block.timestamp and block.number for constants within one call: a test that warps or rolls
/// and reads them again must do so in a contract that it calls.
abstract contract Test {
    error Unequal(string what, uint256 found, uint256 expected);
    error Untrue(string what);

    ICheatCodes internal constant vm = ICheatCodes(address(uint160(uint256(keccak256("hevm cheat code")))));

    /// Where forge looks for a mark that the contract holds tests.
    bool public constant IS_TEST = true;

    function assertTrue(bool condition, string memory what) internal pure {
        if (!condition) revert Untrue(what);
    }

    function assertFalse(bool condition, string memory what) internal pure {
        if (condition) revert Untrue(what);
    }

    function assertEq(uint256 found, uint256 expected, string memory what) internal pure {
        if (found != expected) revert Unequal(what, found, expected);
    }

    function assertEq(bytes32 found, bytes32 expected, string memory what) internal pure {
        if (found != expected) revert Unequal(what, uint256(found), uint256(expected));
    }

    function assertEq(address found, address expected, string memory what) internal pure {
        if (found != expected) revert Unequal(what, uint160(found), uint160(expected));
    }

    /// `value` brought into [low, high], for fuzzed arguments.
    function bound(uint256 value, uint256 low, uint256 high) internal pure returns (uint256) {
        return low + value % (high - low + 1);
    }
}
