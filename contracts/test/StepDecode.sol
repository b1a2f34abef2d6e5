// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// Asks the machine of many instruction words whether they are instructions, without a witness from outside for each.
contract StepDecode {
    uint256 private constant LEVELS = 27;
    uint256 private constant STATE_BYTES = 178;
    /// Offset of $v0, which holds the number of exit, so that `syscall` is an instruction.
    uint256 private constant V0 = 58;
    uint32 private constant EXIT = 4001;
    bytes1 private constant TRAPPED = bytes1(uint8(2));
    bytes1 private constant ENCODING = bytes1(uint8(3));

    /// One byte per word of four bytes: 1 where the machine traps with exit code 3 and changes nothing else.
    /// The word is at address 0, all else of the memory and every register but $v0 are zero. A witness that lacks the
    /// data of a load or store is refused, which an encoding that traps does not read.
    function run(address machine, bytes calldata words) external view returns (bytes memory traps) {
        traps = new bytes(words.length / 4);
        bytes32[LEVELS] memory zeros;
        for (uint256 level = 1; level < LEVELS; level++) {
            zeros[level] = keccak256(abi.encode(zeros[level - 1], zeros[level - 1]));
        }
        for (uint256 i = 0; i < traps.length; i++) {
            // Little-endian in memory, big-endian in `words`.
            bytes32 leaf = bytes32(
                abi.encodePacked(words[4 * i + 3], words[4 * i + 2], words[4 * i + 1], words[4 * i], bytes28(0))
            );
            bytes32 root = leaf;
            for (uint256 level = 0; level < LEVELS; level++) {
                root = keccak256(abi.encode(root, zeros[level]));
            }
            if (trapsOn(machine, leaf, root)) traps[i] = 0x01;
        }
    }

    function trapsOn(address machine, bytes32 leaf, bytes32 root) private view returns (bool) {
        bytes memory state = new bytes(STATE_BYTES);
        assembly {
            mstore(add(state, 32), root)
        }
        // nextPc is 4.
        state[39] = 0x04;
        state[V0 + 2] = bytes1(uint8(EXIT >> 8));
        state[V0 + 3] = bytes1(uint8(EXIT & 0xff));
        bytes memory witness = abi.encodePacked(state, leaf, bytes4(0));
        (bool success, bytes memory result) = machine.staticcall(abi.encodeWithSignature("step(bytes)", witness));
        if (!success) return false;
        (, bytes32 poststate) = abi.decode(result, (bytes32, bytes32));
        state[48] = TRAPPED;
        state[49] = ENCODING;
        return poststate == keccak256(state);
    }
}
