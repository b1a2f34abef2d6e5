// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {WrongLength, WrongRoot} from "./GameErrors.sol";

/// Proofs in trees of 32-byte leaves whose depth is known: docs/formats.md, *Trees*.
/// A proof never says how deep it is; the caller does, and the length must be exactly that.
library Paths {
    /// The node above two siblings.
    function hashPair(bytes32 left, bytes32 right) internal pure returns (bytes32 node) {
        assembly ("memory-safe") {
            mstore(0x00, left)
            mstore(0x20, right)
            node := keccak256(0x00, 0x40)
        }
    }

    function requireRoot(bytes32 expected, bytes32 found) internal pure {
        if (found != expected) revert WrongRoot(expected, found);
    }

    /// Depth of the tree over `count` leaves: ceil(log2(count)); count >= 1.
    function depthOf(uint256 count) internal pure returns (uint256 depth) {
        while ((1 << depth) < count) depth++;
    }

    /// Root that `node` at `index` of its level leads to with the siblings of `path`, bottom-up; `depth` of them.
    function root(bytes32 node, uint256 index, bytes32[] calldata path, uint256 depth)
        internal
        pure
        returns (bytes32 found)
    {
        if (path.length != depth) revert WrongLength(depth, path.length);
        assembly ("memory-safe") {
            found := node
            let end := add(path.offset, shl(5, depth))
            for { let sibling := path.offset } lt(sibling, end) { sibling := add(sibling, 0x20) } {
                let side := shl(5, and(index, 1))
                mstore(side, found)
                mstore(xor(side, 0x20), calldataload(sibling))
                found := keccak256(0x00, 0x40)
                index := shr(1, index)
            }
        }
    }

    /// Root over a power of two of nodes.
    function rootOf(bytes32[] calldata nodes) internal pure returns (bytes32 found) {
        assembly ("memory-safe") {
            let base := mload(0x40)
            calldatacopy(base, nodes.offset, shl(5, nodes.length))
            for { let width := shr(1, nodes.length) } width { width := shr(1, width) } {
                for { let i := 0 } lt(i, width) { i := add(i, 1) } {
                    mstore(add(base, shl(5, i)), keccak256(add(base, shl(6, i)), 0x40))
                }
            }
            found := mload(base)
        }
    }

    /// Z_0 .. Z_26 in memory, one word each: as constants they cost 250 gas, hashed 2,500.
    function zeros() internal pure returns (uint256 table) {
        assembly ("memory-safe") {
            table := mload(0x40)
            mstore(0x40, add(table, 864))
            mstore(table, 0)
            mstore(add(table, 32), 0xad3228b676f7d3cd4284a5443f17f1962b36e491b30a40b2405849e597ba5fb5)
            mstore(add(table, 64), 0xb4c11951957c6f8f642c4af61cd6b24640fec6dc7fc607ee8206a99e92410d30)
            mstore(add(table, 96), 0x21ddb9a356815c3fac1026b6dec5df3124afbadb485c9ba5a3e3398a04b7ba85)
            mstore(add(table, 128), 0xe58769b32a1beaf1ea27375a44095a0d1fb664ce2dd358e7fcbfb78c26a19344)
            mstore(add(table, 160), 0x0eb01ebfc9ed27500cd4dfc979272d1f0913cc9f66540d7e8005811109e1cf2d)
            mstore(add(table, 192), 0x887c22bd8750d34016ac3c66b5ff102dacdd73f6b014e710b51e8022af9a1968)
            mstore(add(table, 224), 0xffd70157e48063fc33c97a050f7f640233bf646cc98d9524c6b92bcf3ab56f83)
            mstore(add(table, 256), 0x9867cc5f7f196b93bae1e27e6320742445d290f2263827498b54fec539f756af)
            mstore(add(table, 288), 0xcefad4e508c098b9a7e1d8feb19955fb02ba9675585078710969d3440f5054e0)
            mstore(add(table, 320), 0xf9dc3e7fe016e050eff260334f18a5d4fe391d82092319f5964f2e2eb7c1c3a5)
            mstore(add(table, 352), 0xf8b13a49e282f609c317a833fb8d976d11517c571d1221a265d25af778ecf892)
            mstore(add(table, 384), 0x3490c6ceeb450aecdc82e28293031d10c7d73bf85e57bf041a97360aa2c5d99c)
            mstore(add(table, 416), 0xc1df82d9c4b87413eae2ef048f94b4d3554cea73d92b0f7af96e0271c691e2bb)
            mstore(add(table, 448), 0x5c67add7c6caf302256adedf7ab114da0acfe870d449a3a489f781d659e8becc)
            mstore(add(table, 480), 0xda7bce9f4e8618b6bd2f4132ce798cdc7a60e7e1460a7299e3c6342a579626d2)
            mstore(add(table, 512), 0x2733e50f526ec2fa19a22b31e8ed50f23cd1fdf94c9154ed3a7609a2f1ff981f)
            mstore(add(table, 544), 0xe1d3b5c807b281e4683cc6d6315cf95b9ade8641defcb32372f1c126e398ef7a)
            mstore(add(table, 576), 0x5a2dce0a8a7f68bb74560f8f71837c2c2ebbcbf7fffb42ae1896f13f7c7479a0)
            mstore(add(table, 608), 0xb46a28b6f55540f89444f63de0378e3d121be09e06cc9ded1c20e65876d36aa0)
            mstore(add(table, 640), 0xc65e9645644786b620e2dd2ad648ddfcbf4a7e5b1a3a4ecfe7f64667a3f0b7e2)
            mstore(add(table, 672), 0xf4418588ed35a2458cffeb39b93d26f18d2ab13bdce6aee58e7b99359ec2dfd9)
            mstore(add(table, 704), 0x5a9c16dc00d6ef18b7933a6f8dc65ccb55667138776f7dea101070dc8796e377)
            mstore(add(table, 736), 0x4df84f40ae0c8229d0d6069e5c8f39a7c299677a09d367fc7b05e3bc380ee652)
            mstore(add(table, 768), 0xcdc72595f74c7b1043d0e1ffbab734648c838dfb0527d971b602bc216c9619ef)
            mstore(add(table, 800), 0x0abf5ac974a1ed57f4050aa510dd9c74f508277b39d7973bb2dfccc5eeb0618d)
            mstore(add(table, 832), 0xb8cd74046ff337f0a7bf2c8e03e10f642c1886798d71806ab1e888d9e5ee87d0)
        }
    }

    /// Z_height: the all-zero subtree.
    function zero(uint256 height) internal pure returns (bytes32 node) {
        for (uint256 h = 0; h < height; h++) node = hashPair(node, node);
    }

    /// Root of the tree of `depth` whose leftmost node at level `height` is `node` and all else 32 zero bytes.
    function joinZeros(bytes32 node, uint256 height, uint256 depth) internal pure returns (bytes32) {
        bytes32 sibling = zero(height);
        for (uint256 h = height; h < depth; h++) {
            node = hashPair(node, sibling);
            sibling = hashPair(sibling, sibling);
        }
        return node;
    }
}
