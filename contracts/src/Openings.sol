// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Descriptor} from "./Descriptor.sol";
import {WrongLength} from "./GameErrors.sol";
import {Interval, LeafOpening, NodeOpening, OpenedStep} from "./GameTypes.sol";
import {InitialState} from "./InitialState.sol";
import {Paths} from "./Paths.sol";
import {ModelShape, NO_SLOT} from "./Types.sol";

/// What the challenger must prove when he opens a node or a leaf: docs/protocol.md, *Opening a step*.
library Openings {
    /// Whether the opened step leaves the state unchanged, because the model has stopped or the descriptor is void.
    function isIdentity(ModelShape memory shape, Interval memory position, NodeOpening calldata opening)
        internal
        pure
        returns (bool)
    {
        if (shape.stopSlot != NO_SLOT) {
            // INVARIANT GAME-16: where the model has a stop slot, it is proven under the agreed state before anything else.
            bytes32 state =
                Paths.root(opening.stopLeaf, shape.stopSlot, opening.stopPath, Paths.depthOf(shape.slots));
            Paths.requireRoot(position.low, state);
            if (bytes4(opening.stopLeaf) != 0) return true;
        } else if (opening.stopPath.length != 0) {
            revert WrongLength(0, opening.stopPath.length);
        }
        // INVARIANT GAME-17: the descriptor is the one at the node's index under the program root.
        bytes32 program = Paths.root(
            keccak256(opening.descriptor),
            position.lo % shape.nodes,
            opening.programPath,
            Paths.depthOf(shape.nodes)
        );
        Paths.requireRoot(shape.programRoot, program);
        return Descriptor.isVoid(opening.descriptor, shape.weights, shape.slots);
    }

    /// The hash of the machine's state at step 0, composed from proven roots.
    function initialState(
        ModelShape memory shape,
        OpenedStep memory opened,
        uint32 leafIndex,
        LeafOpening calldata opening
    ) internal pure returns (bytes32) {
        bytes calldata descriptor = opening.descriptor;
        uint256 count = Descriptor.operands(descriptor);
        bytes32[] memory leaves = new bytes32[](1 + count);
        uint256 start = 0;
        for (uint256 j = 0; j < count; j++) {
            (uint256 kind, uint256 index) = Descriptor.operand(descriptor, j);
            if (kind == Descriptor.WEIGHTS_TABLE) {
                leaves[1 + j] = shape.weightsRoot;
                continue;
            }
            bool weight = kind == Descriptor.WEIGHT;
            uint256 end = start + 1 + Paths.depthOf(weight ? shape.weights : shape.slots);
            if (end > opening.operands.length) revert WrongLength(end, opening.operands.length);
            bytes32 leaf = opening.operands[start];
            // INVARIANT GAME-32: every operand root is proven under the agreed state or the weights root.
            bytes32 root = Paths.root(leaf, index, opening.operands[start + 1:end], end - start - 1);
            Paths.requireRoot(weight ? shape.weightsRoot : opened.state, root);
            leaves[1 + j] = leaf;
            start = end;
        }
        if (start != opening.operands.length) revert WrongLength(start, opening.operands.length);
        return InitialState.hash(
            Descriptor.programRoot(descriptor),
            Descriptor.programHeight(descriptor),
            leafIndex,
            // The input leaf has 32 bits for it: modulo 2^32, as fpvm/initial_state.ts.
            uint32(opened.step / shape.nodes),
            leaves
        );
    }
}
