// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import "./MarketErrors.sol";
import {Blob} from "./Blob.sol";
import {TensorTree} from "./TensorTree.sol";
import {ModelShape, NO_SLOT} from "./Types.sol";

enum Role {
    Data,
    Seed,
    Sampling
}

/// An input or output of a model.
struct Port {
    Role role;
    uint8 height;
    uint32 slot;
    uint64 byteLength;
}

/// The model root's preimage, parsed.
struct Model {
    ModelShape shape;
    bytes32 initialSlotsRoot;
    bool iterationsChosen;
    /// Exact, or the maximum where the request chooses.
    uint64 iterations;
    Port[] inputs;
    Port[] outputs;
}

/// Parses and checks the preimage of docs/formats.md, *Model root*. What passes `check` can be disputed in every step.
library ModelRoot {
    uint256 internal constant VERSION = 2;
    uint256 internal constant HEADER_BYTES = 165;
    uint256 internal constant PORT_BYTES = 14;
    uint256 internal constant MAX_HEIGHT = 26;
    /// Exact in a double, so that no player rounds a step.
    uint256 internal constant MAX_STEPS = (1 << 53) - 1;
    /// Outputs up to this length are always revealed as bytes; longer ones may be revealed as their roots.
    uint256 internal constant SMALL_OUTPUT_BYTES = 4096;

    /// Checks length and version, and nothing else of the content.
    function parse(bytes memory preimage) internal pure returns (Model memory model) {
        // INVARIANT MARKET-4: a preimage has exactly the length that its own counts give.
        if (preimage.length < HEADER_BYTES) revert PreimageLength(preimage.length, HEADER_BYTES);
        // INVARIANT MARKET-5: only the known format version is registered.
        if (_uint(preimage, 0, 4) != VERSION) revert UnsupportedVersion(_uint(preimage, 0, 4));
        uint256 inputs = _uint(preimage, 161, 2);
        uint256 outputs = _uint(preimage, 163, 2);
        uint256 expected = HEADER_BYTES + PORT_BYTES * (inputs + outputs);
        if (preimage.length != expected) revert PreimageLength(preimage.length, expected);
        model.shape = shape(preimage);
        model.initialSlotsRoot = bytes32(_uint(preimage, 76, 32));
        // INVARIANT MARKET-6: the schedule is fixed or chosen by the request.
        if (_uint(preimage, 112, 1) > 1) revert UnknownSchedule(_uint(preimage, 112, 1));
        model.iterationsChosen = _uint(preimage, 112, 1) == 1;
        model.iterations = uint64(_uint(preimage, 113, 8));
        model.inputs = _ports(preimage, HEADER_BYTES, inputs);
        model.outputs = _ports(preimage, HEADER_BYTES + PORT_BYTES * inputs, outputs);
    }

    /// What the game needs; the preimage holds at least a header.
    function shape(bytes memory preimage) internal pure returns (ModelShape memory) {
        return ModelShape({
            programRoot: bytes32(_uint(preimage, 4, 32)),
            weightsRoot: bytes32(_uint(preimage, 40, 32)),
            nodes: uint32(_uint(preimage, 36, 4)),
            weights: uint32(_uint(preimage, 72, 4)),
            slots: uint32(_uint(preimage, 108, 4)),
            kept: uint32(_uint(preimage, 121, 4)),
            stopSlot: uint32(_uint(preimage, 125, 4))
        });
    }

    /// Every rule on a model that the contract can see. Refuses by a named error.
    function check(Model memory model) internal pure {
        ModelShape memory s = model.shape;
        // INVARIANT MARKET-7: a model has nodes, weights, slots and outputs.
        if (s.nodes == 0) revert NoNodes();
        if (s.weights == 0) revert NoWeights();
        if (s.slots == 0) revert NoSlots();
        if (model.outputs.length == 0) revert NoOutputs();
        // INVARIANT MARKET-8: at least one iteration, and no more steps than a player can count.
        if (model.iterations == 0) revert NoIterations();
        uint256 steps = uint256(model.iterations) * s.nodes + 1;
        if (steps > MAX_STEPS) revert TooManySteps(steps, MAX_STEPS);
        // INVARIANT MARKET-9: the kept slots are a subtree of the slots tree.
        if (s.kept == 0 || s.kept & (s.kept - 1) != 0) revert KeptNotPowerOfTwo(s.kept);
        uint256 width = uint256(1) << TensorTree.depthOf(s.slots);
        if (s.kept > width) revert KeptAboveWidth(s.kept, width);
        _checkPorts(model);
        _checkStopSlot(model);
        _checkOutputs(model);
    }

    function _checkPorts(Model memory model) private pure {
        uint256 slots = model.shape.slots;
        for (uint256 i = 0; i < model.inputs.length; i++) {
            Port memory input = model.inputs[i];
            _checkPort(input, slots);
            // INVARIANT MARKET-10: seed and sampling slots hold exactly one leaf.
            if (input.role != Role.Data && input.byteLength != 32) revert RoleHeight(input.byteLength);
            // INVARIANT MARKET-11: no two inputs share a slot, and no two outputs.
            for (uint256 j = 0; j < i; j++) {
                if (model.inputs[j].slot == input.slot) revert DuplicateSlot(input.slot);
            }
        }
        for (uint256 i = 0; i < model.outputs.length; i++) {
            Port memory output = model.outputs[i];
            _checkPort(output, slots);
            if (output.role != Role.Data) revert UnknownRole(uint256(output.role));
            for (uint256 j = 0; j < i; j++) {
                if (model.outputs[j].slot == output.slot) revert DuplicateSlot(output.slot);
            }
            // INVARIANT MARKET-12: a slot that is input and output has one length.
            for (uint256 j = 0; j < model.inputs.length; j++) {
                Port memory input = model.inputs[j];
                if (input.slot == output.slot && input.byteLength != output.byteLength) {
                    revert SlotTypesDiffer(output.slot);
                }
            }
        }
    }

    function _checkPort(Port memory port, uint256 slots) private pure {
        // INVARIANT MARKET-13: inputs and outputs name slots of the model.
        if (port.slot >= slots) revert SlotOutOfRange(port.slot, slots);
        // INVARIANT MARKET-14: a height is the one that the byte length gives, and no more than 26.
        if (port.height > MAX_HEIGHT) revert HeightAboveLimit(port.height, MAX_HEIGHT);
        uint256 expected = TensorTree.heightOf(port.byteLength);
        if (port.height != expected) revert HeightMismatch(port.height, expected);
    }

    function _checkStopSlot(Model memory model) private pure {
        uint256 stop = model.shape.stopSlot;
        if (stop == NO_SLOT) return;
        // INVARIANT MARKET-15: a stop slot is a slot of one leaf and never an input.
        if (stop >= model.shape.slots) revert SlotOutOfRange(stop, model.shape.slots);
        for (uint256 i = 0; i < model.inputs.length; i++) {
            if (model.inputs[i].slot == stop) revert StopSlotIsInput(stop);
        }
        for (uint256 i = 0; i < model.outputs.length; i++) {
            Port memory output = model.outputs[i];
            if (output.slot == stop && output.height != 0) revert StopSlotHeight(output.height);
        }
    }

    function _checkOutputs(Model memory model) private pure {
        // abi.encode(Output[]): offset and count, then for each output its offset, root, data's offset and length.
        uint256 encoded = 64;
        for (uint256 i = 0; i < model.outputs.length; i++) {
            Port memory output = model.outputs[i];
            // INVARIANT MARKET-16: an output lies in the kept slots, so the finish step never clears it.
            if (output.slot >= model.shape.kept) revert OutputNotKept(output.slot, model.shape.kept);
            encoded += 128;
            if (output.byteLength <= SMALL_OUTPUT_BYTES) encoded += (uint256(output.byteLength) + 31) / 32 * 32;
        }
        // INVARIANT MARKET-17: a reveal of true outputs always fits into what the market can store.
        if (encoded > Blob.MAX_BYTES) revert OutputsTooLarge(encoded, Blob.MAX_BYTES);
    }

    function _ports(bytes memory preimage, uint256 offset, uint256 count) private pure returns (Port[] memory ports) {
        ports = new Port[](count);
        for (uint256 i = 0; i < count; i++) {
            uint256 start = offset + PORT_BYTES * i;
            uint256 role = _uint(preimage, start, 1);
            // INVARIANT MARKET-18: a role is data, seed or sampling; an output's is data.
            if (role > uint256(type(Role).max)) revert UnknownRole(role);
            ports[i] = Port({
                role: Role(role),
                height: uint8(_uint(preimage, start + 1, 1)),
                slot: uint32(_uint(preimage, start + 2, 4)),
                byteLength: uint64(_uint(preimage, start + 6, 8))
            });
        }
    }

    /// Big-endian field of `size` bytes; the caller has checked that it lies inside.
    function _uint(bytes memory data, uint256 offset, uint256 size) private pure returns (uint256 value) {
        assembly ("memory-safe") {
            value := shr(sub(256, shl(3, size)), mload(add(add(data, 32), offset)))
        }
    }
}
