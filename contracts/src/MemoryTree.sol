// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Tree} from "./Tree.sol";

/// The machine's memory as one step sees it: an opened instruction leaf, and further nodes whose paths join its path.
/// Layout of the proofs: docs/formats.md, *Step witness*. Nothing is believed here that does not lead to the root.
struct MemoryTree {
    /// Where the next item of the witness is, as a position in calldata.
    uint256 cursor;
    /// The instruction's leaf and its index.
    bytes32 leaf;
    uint256 index;
    /// Pairs hashed on the instruction's path: (left, right) of level i at `trunk` + 64 * i.
    uint256 trunk;
    /// The same for the node opened last, from its level to where it joins.
    uint256 branch;
    /// Z_0 .. Z_26.
    uint256 zeros;
    /// The node opened last: leaf index of its first leaf, its level, the level where its path joins.
    uint256 first;
    uint256 level;
    uint256 join;
}

/// The instruction's leaf is not under the state's memory root.
error WrongRoot(bytes32 found, bytes32 expected);

/// A node is not where its path joins the instruction's path.
error WrongNode(bytes32 found, bytes32 expected);

library MemoryTrees {
    /// Levels of the whole memory.
    uint256 internal constant HEIGHT = 27;

    /// Opens the instruction's leaf at `index` with the leaf and path at calldata position `cursor`.
    function open(uint256 cursor, uint256 index, bytes32 root) internal pure returns (MemoryTree memory tree) {
        (uint256 trunk, uint256 branch, uint256 zeros) = buffers();
        bytes32 leaf;
        assembly ("memory-safe") {
            leaf := calldataload(cursor)
        }
        bytes32 found;
        unchecked {
            (found, cursor) = Tree.fold(leaf, index, 0, HEIGHT, trunk, zeros, cursor + 32);
        }
        // INVARIANT VM-2: the instruction is read from a leaf proven under the state's memory root.
        if (found != root) revert WrongRoot(found, root);
        tree.cursor = cursor;
        tree.leaf = leaf;
        tree.index = index;
        tree.trunk = trunk;
        tree.branch = branch;
        tree.zeros = zeros;
    }

    /// The leaf at `index`: the instruction's own, or the next item of the witness.
    function readLeaf(MemoryTree memory tree, uint256 index) internal pure returns (bytes32) {
        return index == tree.index ? tree.leaf : readNode(tree, index, 0);
    }

    /// The node at `level` above leaf `index`, which is not above the instruction: the next item of the witness.
    function readNode(MemoryTree memory tree, uint256 index, uint256 level) internal pure returns (bytes32 node) {
        uint256 cursor = tree.cursor;
        assembly ("memory-safe") {
            node := calldataload(cursor)
        }
        uint256 join = highestBit(index ^ tree.index);
        bytes32 found;
        unchecked {
            (found, cursor) = Tree.fold(node, index, level, join, tree.branch, tree.zeros, cursor + 32);
        }
        bytes32 expected;
        uint256 sibling = siblingAt(tree, join);
        assembly ("memory-safe") {
            expected := mload(sibling)
        }
        // INVARIANT VM-3: every further node is proven under the same root, where its path joins the instruction's.
        if (found != expected) revert WrongNode(found, expected);
        tree.cursor = cursor;
        tree.first = index;
        tree.level = level;
        tree.join = join;
    }

    /// Replaces the node read last by `node` and returns the new root. Later reads are proven against it.
    function replace(MemoryTree memory tree, bytes32 node) internal pure returns (bytes32 root) {
        uint256 join = tree.join;
        root = Tree.refold(node, tree.first, tree.level, join, tree.branch);
        // INVARIANT VM-4: a write changes the very node that was read, and a second one builds on the first.
        uint256 sibling = siblingAt(tree, join);
        uint256 trunk = tree.trunk;
        assembly ("memory-safe") {
            mstore(sibling, root)
            root := keccak256(add(trunk, shl(6, join)), 0x40)
        }
        unchecked {
            root = Tree.refold(root, tree.index, join + 1, HEIGHT, trunk);
        }
    }

    /// Z_level.
    function zeroAt(MemoryTree memory tree, uint256 level) internal pure returns (bytes32 node) {
        uint256 zeros = tree.zeros;
        assembly ("memory-safe") {
            node := mload(add(zeros, shl(5, level)))
        }
    }

    /// Where the sibling of the instruction's path at `level` is in memory.
    function siblingAt(MemoryTree memory tree, uint256 level) private pure returns (uint256 position) {
        unchecked {
            position = tree.trunk + (level << 6) + ((~tree.index >> level & 1) << 5);
        }
    }

    /// Position of the highest set bit of a number in 1 .. 2^32 - 1.
    function highestBit(uint256 value) private pure returns (uint256 position) {
        assembly ("memory-safe") {
            position := shl(4, gt(value, 0xffff))
            position := or(position, shl(3, gt(shr(position, value), 0xff)))
            position := or(position, shl(2, gt(shr(position, value), 0x0f)))
            position := or(position, shl(1, gt(shr(position, value), 0x03)))
            position := or(position, gt(shr(position, value), 0x01))
        }
    }

    /// Memory for two paths and the zero hashes, the latter filled in: as constants they cost 250 gas, hashed 2,500.
    function buffers() private pure returns (uint256 trunk, uint256 branch, uint256 zeros) {
        assembly ("memory-safe") {
            trunk := mload(0x40)
            branch := add(trunk, 1728)
            zeros := add(branch, 1728)
            mstore(0x40, add(zeros, 864))
            mstore(zeros, 0)
            mstore(add(zeros, 32), 0xad3228b676f7d3cd4284a5443f17f1962b36e491b30a40b2405849e597ba5fb5)
            mstore(add(zeros, 64), 0xb4c11951957c6f8f642c4af61cd6b24640fec6dc7fc607ee8206a99e92410d30)
            mstore(add(zeros, 96), 0x21ddb9a356815c3fac1026b6dec5df3124afbadb485c9ba5a3e3398a04b7ba85)
            mstore(add(zeros, 128), 0xe58769b32a1beaf1ea27375a44095a0d1fb664ce2dd358e7fcbfb78c26a19344)
            mstore(add(zeros, 160), 0x0eb01ebfc9ed27500cd4dfc979272d1f0913cc9f66540d7e8005811109e1cf2d)
            mstore(add(zeros, 192), 0x887c22bd8750d34016ac3c66b5ff102dacdd73f6b014e710b51e8022af9a1968)
            mstore(add(zeros, 224), 0xffd70157e48063fc33c97a050f7f640233bf646cc98d9524c6b92bcf3ab56f83)
            mstore(add(zeros, 256), 0x9867cc5f7f196b93bae1e27e6320742445d290f2263827498b54fec539f756af)
            mstore(add(zeros, 288), 0xcefad4e508c098b9a7e1d8feb19955fb02ba9675585078710969d3440f5054e0)
            mstore(add(zeros, 320), 0xf9dc3e7fe016e050eff260334f18a5d4fe391d82092319f5964f2e2eb7c1c3a5)
            mstore(add(zeros, 352), 0xf8b13a49e282f609c317a833fb8d976d11517c571d1221a265d25af778ecf892)
            mstore(add(zeros, 384), 0x3490c6ceeb450aecdc82e28293031d10c7d73bf85e57bf041a97360aa2c5d99c)
            mstore(add(zeros, 416), 0xc1df82d9c4b87413eae2ef048f94b4d3554cea73d92b0f7af96e0271c691e2bb)
            mstore(add(zeros, 448), 0x5c67add7c6caf302256adedf7ab114da0acfe870d449a3a489f781d659e8becc)
            mstore(add(zeros, 480), 0xda7bce9f4e8618b6bd2f4132ce798cdc7a60e7e1460a7299e3c6342a579626d2)
            mstore(add(zeros, 512), 0x2733e50f526ec2fa19a22b31e8ed50f23cd1fdf94c9154ed3a7609a2f1ff981f)
            mstore(add(zeros, 544), 0xe1d3b5c807b281e4683cc6d6315cf95b9ade8641defcb32372f1c126e398ef7a)
            mstore(add(zeros, 576), 0x5a2dce0a8a7f68bb74560f8f71837c2c2ebbcbf7fffb42ae1896f13f7c7479a0)
            mstore(add(zeros, 608), 0xb46a28b6f55540f89444f63de0378e3d121be09e06cc9ded1c20e65876d36aa0)
            mstore(add(zeros, 640), 0xc65e9645644786b620e2dd2ad648ddfcbf4a7e5b1a3a4ecfe7f64667a3f0b7e2)
            mstore(add(zeros, 672), 0xf4418588ed35a2458cffeb39b93d26f18d2ab13bdce6aee58e7b99359ec2dfd9)
            mstore(add(zeros, 704), 0x5a9c16dc00d6ef18b7933a6f8dc65ccb55667138776f7dea101070dc8796e377)
            mstore(add(zeros, 736), 0x4df84f40ae0c8229d0d6069e5c8f39a7c299677a09d367fc7b05e3bc380ee652)
            mstore(add(zeros, 768), 0xcdc72595f74c7b1043d0e1ffbab734648c838dfb0527d971b602bc216c9619ef)
            mstore(add(zeros, 800), 0x0abf5ac974a1ed57f4050aa510dd9c74f508277b39d7973bb2dfccc5eeb0618d)
            mstore(add(zeros, 832), 0xb8cd74046ff337f0a7bf2c8e03e10f642c1886798d71806ab1e888d9e5ee87d0)
        }
    }
}
