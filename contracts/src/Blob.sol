// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {BlobTooLarge, BlobFailed} from "./MarketErrors.sol";

/// Immutable bytes kept as the code of an account: 200 gas a byte to write, one cold account to read.
/// The code begins with STOP, so that nobody can run it.
library Blob {
    /// The chain's limit of 24,576 bytes of code, less the STOP.
    uint256 internal constant MAX_BYTES = 24_575;

    function write(bytes memory data) internal returns (address account) {
        // INVARIANT MARKET-3: what is stored can be read back whole.
        if (data.length > MAX_BYTES) revert BlobTooLarge(data.length, MAX_BYTES);
        // PUSH2 length, DUP1, PUSH1 10, RETURNDATASIZE, CODECOPY, RETURNDATASIZE, RETURN
        bytes memory code = abi.encodePacked(hex"61", uint16(data.length + 1), hex"80600a3d393df300", data);
        assembly ("memory-safe") {
            account := create(0, add(code, 32), mload(code))
        }
        if (account == address(0)) revert BlobFailed();
    }

    function read(address account) internal view returns (bytes memory) {
        return slice(account, 0, account.code.length - 1);
    }

    /// Bytes [offset, offset + length) of what was written; zeros past its end.
    function slice(address account, uint256 offset, uint256 length) internal view returns (bytes memory data) {
        data = new bytes(length);
        assembly ("memory-safe") {
            extcodecopy(account, add(data, 32), add(offset, 1), length)
        }
    }
}
