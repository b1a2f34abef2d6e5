// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import "./MarketErrors.sol";
import "./MarketTypes.sol";
import {Blob} from "./Blob.sol";
import {Output} from "./IConsumer.sol";
import {Model, ModelRoot, Port, Role} from "./ModelRoot.sol";
import {TensorTree} from "./TensorTree.sol";
import {IRegistryOfGame, ModelShape} from "./Types.sol";

/// Registrations and uploaded input chunks: what the market knows of models, without any money.
///
/// A registration is immutable, hence stored as code: its head, the model root's preimage, and the siblings that turn
/// the input slots' values into a state root. They are proven once, here, against the initial slots root; so a request
/// brings its inputs and nothing else, and S_0 is always the contract's own.
contract Registry is IRegistryOfGame {
    uint256 private constant MIN_K = 2;
    uint256 private constant MAX_K = 32;
    uint256 private constant MIN_Q = 1;
    uint256 private constant MAX_Q = 5;
    /// Length of an encoded `Registration`.
    uint256 private constant HEAD_BYTES = 20 * 32;
    /// Where the terms of a dispute stand in it, and their length.
    uint256 private constant DISPUTE_TERMS_AT = 5 * 32;
    uint256 private constant DISPUTE_TERMS_BYTES = 9 * 32;

    Limits private _limits;
    mapping(bytes32 => address) private _registrations;
    /// keccak256(root, height, length) of every chunk that this contract has hashed: facts, not property.
    mapping(bytes32 => bool) private _chunks;

    event Registered(
        bytes32 indexed registrationId,
        bytes32 indexed modelRoot,
        address indexed registrant,
        Parameters parameters,
        bytes model
    );
    event Uploaded(bytes32 indexed root, uint8 height, bytes data);

    constructor(Limits memory limits_) {
        // INVARIANT MARKET-66: nobody can be given no time at all, and no floor lies above its ceiling.
        _floor("minChallengePeriod", limits_.minChallengePeriod, 1);
        _floor("minClock", limits_.minClock, 1);
        _floor("minRevealWindow", limits_.minRevealWindow, 1);
        _ceiling("minChallengePeriod", limits_.minChallengePeriod, limits_.maxChallengePeriod);
        _ceiling("minClock", limits_.minClock, limits_.maxClock);
        _ceiling("minRevealWindow", limits_.minRevealWindow, limits_.maxRevealWindow);
        _ceiling("minChallengerStake", limits_.minChallengerStake, limits_.maxChallengerStake);
        _limits = limits_;
    }

    function limits() external view returns (Limits memory) {
        return _limits;
    }

    /// Registers a model under the caller's terms. `values` are the initial leaves of the input slots, in the order of
    /// the inputs, and `siblings` the rest of the initial slots tree (docs/formats.md, *Slots proof*).
    function register(
        bytes calldata model,
        Parameters calldata terms,
        bytes32[] calldata values,
        bytes32[] calldata siblings
    ) external returns (bytes32 registrationId) {
        Model memory parsed = ModelRoot.parse(model);
        ModelRoot.check(parsed);
        _checkParameters(terms);
        // INVARIANT MARKET-21: the siblings kept for later requests are those of the model's initial slots.
        bytes32 initial = _stateRoot(parsed, values, siblings);
        if (initial != parsed.initialSlotsRoot) revert InitialSlotsMismatch(initial, parsed.initialSlotsRoot);

        bytes32 modelRoot = keccak256(model);
        // INVARIANT MARKET-22: an id names model, parameters and registrant, so nobody can squat another's terms.
        registrationId = keccak256(abi.encode(modelRoot, terms, msg.sender));
        if (_registrations[registrationId] != address(0)) revert AlreadyRegistered(registrationId);
        Registration memory head = Registration({
            modelRoot: modelRoot,
            registrant: msg.sender,
            modelLength: uint32(model.length),
            siblings: uint32(siblings.length),
            parameters: terms
        });
        _registrations[registrationId] =
            Blob.write(bytes.concat(abi.encode(head), model, abi.encodePacked(siblings)));
        emit Registered(registrationId, modelRoot, msg.sender, terms, model);
    }

    /// Hashes a chunk of at most 32 << height bytes, for requests to name by its root. Bytes end up in the log.
    function upload(bytes calldata data, uint8 height) external returns (bytes32 root) {
        if (height > ModelRoot.MAX_HEIGHT) revert ChunkHeight(height, ModelRoot.MAX_HEIGHT);
        root = TensorTree.root(data, height);
        _chunks[_chunkKey(root, height, data.length)] = true;
        emit Uploaded(root, height, data);
    }

    /// Whether a chunk of exactly `length` bytes with this root was hashed here.
    function uploaded(bytes32 root, uint8 height, uint256 length) external view returns (bool) {
        return _chunks[_chunkKey(root, height, length)];
    }

    /// A registration's terms and its model root's preimage.
    function registration(bytes32 registrationId)
        external
        view
        returns (Registration memory head, bytes memory model)
    {
        head = _head(registrationId);
        model = Blob.slice(_registrations[registrationId], HEAD_BYTES, head.modelLength);
    }

    /// What the game asks of the market.
    function shape(bytes32 registrationId) external view returns (ModelShape memory) {
        return ModelRoot.shape(Blob.slice(_blob(registrationId), HEAD_BYTES, ModelRoot.HEADER_BYTES));
    }

    /// A registration's terms alone.
    function parameters(bytes32 registrationId) external view returns (Parameters memory) {
        return _head(registrationId).parameters;
    }

    /// The part of a registration's terms that a dispute needs.
    function disputeTerms(bytes32 registrationId) external view returns (DisputeTerms memory) {
        bytes memory words = Blob.slice(_blob(registrationId), DISPUTE_TERMS_AT, DISPUTE_TERMS_BYTES);
        return abi.decode(words, (DisputeTerms));
    }

    /// Flat gas that a compensation counts for one transaction of a challenger.
    function transactionGas() external view returns (uint256) {
        return _limits.transactionGas;
    }

    /// Checks a request against its registration and the market's ceilings, and derives from it S_0, whether the bytes
    /// of every input were seen, and the number of steps.
    function admit(RequestSpec calldata spec, InputData[] calldata inputs)
        external
        view
        returns (bytes32 start, bool backed, uint64 steps)
    {
        Registration memory head = _head(spec.registrationId);
        Model memory model = _model(spec.registrationId, head);
        _checkSpec(spec, head.parameters, model);
        (start, backed) = _start(spec, inputs, head, model);
        steps = uint64(uint256(spec.iterations) * model.shape.nodes + (spec.finish ? 1 : 0));
    }

    /// The outputs' tensor roots, after checking that the output slots of the state `claim` hold exactly them.
    /// `siblings` are the rest of the slots tree; after a finish step, of the kept subtree alone.
    function outputRoots(
        bytes32 registrationId,
        bool finish,
        bytes32 claim,
        Output[] calldata outputs,
        bytes32[] calldata siblings
    ) external view returns (bytes32[] memory roots) {
        Model memory model = _model(registrationId, _head(registrationId));
        uint256 count = model.outputs.length;
        // INVARIANT MARKET-45: every output of the model is revealed.
        if (outputs.length != count) revert OutputCount(outputs.length, count);
        roots = new bytes32[](count);
        uint256[] memory slots = new uint256[](count);
        bytes32[] memory values = new bytes32[](count);
        for (uint256 i = 0; i < count; i++) {
            slots[i] = model.outputs[i].slot;
            roots[i] = _outputRoot(outputs[i], model.outputs[i]);
            values[i] = roots[i];
        }
        // INVARIANT MARKET-47: the output slots of S_n hold the revealed outputs; after a finish step all slots but the
        // kept ones are zero.
        uint256 depth = TensorTree.depthOf(model.shape.slots);
        uint256 proven = finish ? TensorTree.depthOf(model.shape.kept) : depth;
        bytes32 state = TensorTree.extend(TensorTree.slotsRoot(slots, values, proven, siblings), proven, depth);
        if (state != claim) revert OutputsNotInState(state, claim);
    }

    function _outputRoot(Output calldata output, Port memory port) private pure returns (bytes32) {
        if (output.data.length == 0 && port.byteLength > ModelRoot.SMALL_OUTPUT_BYTES) return output.root;
        // INVARIANT MARKET-46: output bytes have exactly the registered length.
        if (output.data.length != port.byteLength) revert OutputLength(output.data.length, port.byteLength);
        return TensorTree.root(output.data, port.height);
    }

    function _head(bytes32 registrationId) private view returns (Registration memory) {
        return abi.decode(Blob.slice(_blob(registrationId), 0, HEAD_BYTES), (Registration));
    }

    function _model(bytes32 registrationId, Registration memory head) private view returns (Model memory) {
        return ModelRoot.parse(Blob.slice(_blob(registrationId), HEAD_BYTES, head.modelLength));
    }

    /// S_0 of a request, and whether every input's bytes were seen.
    function _start(RequestSpec calldata spec, InputData[] calldata inputs, Registration memory head, Model memory model)
        internal
        view
        returns (bytes32 start, bool backed)
    {
        bytes32[] memory values = new bytes32[](model.inputs.length);
        uint256 used = 0;
        backed = true;
        for (uint256 i = 0; i < values.length; i++) {
            Port memory port = model.inputs[i];
            if (port.role == Role.Seed) {
                values[i] = spec.seed;
            } else if (port.role == Role.Sampling) {
                values[i] = _samplingLeaf(spec);
            } else {
                // INVARIANT MARKET-23: a request has one value for each data input, no less and no more.
                if (used == inputs.length) revert InputCount(inputs.length, used + 1);
                InputData calldata input = inputs[used++];
                values[i] = _inputRoot(input, port);
                // INVARIANT MARKET-24: one input given as a root alone makes the request unbacked.
                if (input.source == InputSource.Root) backed = false;
            }
        }
        if (used != inputs.length) revert InputCount(inputs.length, used);
        bytes32[] memory siblings = new bytes32[](head.siblings);
        bytes memory stored =
            Blob.slice(_blob(spec.registrationId), HEAD_BYTES + head.modelLength, 32 * siblings.length);
        for (uint256 i = 0; i < siblings.length; i++) {
            assembly ("memory-safe") {
                let offset := add(32, shl(5, i))
                mstore(add(siblings, offset), mload(add(stored, offset)))
            }
        }
        start = _stateRoot(model, values, siblings);
    }

    /// INVARIANT MARKET-25: input bytes have exactly the registered length, and the padding is the contract's own.
    function _inputRoot(InputData calldata input, Port memory port) private view returns (bytes32) {
        if (input.source == InputSource.Bytes) {
            if (input.data.length != port.byteLength) revert InputLength(input.data.length, port.byteLength);
            return TensorTree.root(input.data, port.height);
        }
        if (input.source == InputSource.Root) {
            if (input.roots.length != 1) revert ChunkCount(input.roots.length, 1);
            return input.roots[0];
        }
        return _chunksRoot(input, port);
    }

    function _chunksRoot(InputData calldata input, Port memory port) private view returns (bytes32) {
        uint256 height = input.chunkHeight;
        if (height > port.height) revert ChunkHeight(height, port.height);
        uint256 chunkBytes = uint256(32) << height;
        uint256 count = port.byteLength == 0 ? 1 : (port.byteLength + chunkBytes - 1) / chunkBytes;
        // INVARIANT MARKET-26: chunks cover the input exactly, each one full but the last, each one hashed here before.
        if (input.roots.length != count) revert ChunkCount(input.roots.length, count);
        bytes32[] memory roots = new bytes32[](count);
        for (uint256 i = 0; i < count; i++) {
            uint256 length = i + 1 < count ? chunkBytes : port.byteLength - chunkBytes * i;
            roots[i] = input.roots[i];
            if (!_chunks[_chunkKey(roots[i], height, length)]) revert UnknownChunk(roots[i], height, length);
        }
        return TensorTree.join(roots, height, port.height);
    }

    /// Root of the initial slots with `values` in the input slots.
    function _stateRoot(Model memory model, bytes32[] memory values, bytes32[] memory siblings)
        private
        pure
        returns (bytes32)
    {
        uint256 count = model.inputs.length;
        if (values.length != count) revert InputCount(values.length, count);
        if (count == 0) {
            if (siblings.length != 0) revert ProofLength(siblings.length);
            return model.initialSlotsRoot;
        }
        uint256[] memory slots = new uint256[](count);
        for (uint256 i = 0; i < count; i++) slots[i] = model.inputs[i].slot;
        return TensorTree.slotsRoot(slots, values, TensorTree.depthOf(model.shape.slots), siblings);
    }

    /// Little-endian words: temperature, top-k, top-p, five zeros.
    function _samplingLeaf(RequestSpec calldata spec) private pure returns (bytes32) {
        uint256 words =
            (_swap(spec.temperature) << 64) | (_swap(spec.topK) << 32) | _swap(spec.topP);
        return bytes32(words << 160);
    }

    function _swap(uint32 x) private pure returns (uint256) {
        return ((x & 0xff) << 24) | ((x & 0xff00) << 8) | ((x >> 8) & 0xff00) | (x >> 24);
    }

    function _checkParameters(Parameters calldata p) private view {
        Limits memory l = _limits;
        // INVARIANT MARKET-27: k and q are those the game can play.
        if (p.k < MIN_K || p.k > MAX_K || p.q < MIN_Q || p.q > MAX_Q) revert ArityOutOfRange(p.k, p.q);
        // INVARIANT MARKET-28: no registration is below the market's floors.
        _floor("minStake", p.minStake, l.minStake);
        _floor("challengerStake", p.challengerStake, l.minChallengerStake);
        _floor("share", p.share, l.minShare);
        _floor("compensation", p.compensation, l.minCompensation);
        _floor("challengePeriod", p.challengePeriod, l.minChallengePeriod);
        _floor("clock", p.clock, l.minClock);
        _floor("revealWindow", p.revealWindow, l.minRevealWindow);
        // INVARIANT MARKET-29: no registration is above the market's ceilings, so nobody prices objectors out.
        _ceiling("challengerStake", p.challengerStake, l.maxChallengerStake);
        _ceiling("challengePeriod", p.challengePeriod, l.maxChallengePeriod);
        _ceiling("clock", p.clock, l.maxClock);
        _ceiling("revealWindow", p.revealWindow, l.maxRevealWindow);
        _ceiling("maxReopenings", p.maxReopenings, l.maxReopenings);
        // INVARIANT MARKET-30: share and compensations together never exceed half of a loser's stake.
        uint256 shares = uint256(p.share) + COMPENSATED_DISPUTES * p.compensation;
        if (shares > p.minStake / 2) revert SharesExceedHalf(shares, p.minStake / 2);
        if (p.share > p.challengerStake / 2) revert SharesExceedHalf(p.share, p.challengerStake / 2);
        // INVARIANT MARKET-31: the attention fields are zero: nothing is promised that the market does not do.
        Attention calldata a = p.attention;
        if (
            a.maxOpen != 0 || a.bond != 0 || a.wage != 0 || a.threshold != 0 || a.answerWindow != 0
                || a.accusationWindow != 0
        ) revert AttentionUnsupported();
    }

    function _checkSpec(RequestSpec calldata spec, Parameters memory p, Model memory model) private view {
        // INVARIANT MARKET-35: the number of steps follows from the model and the request.
        if (spec.iterations == 0 || spec.iterations > model.iterations) {
            revert IterationsOutOfRange(spec.iterations, model.iterations);
        }
        if (!model.iterationsChosen && spec.iterations != model.iterations) {
            revert IterationsOutOfRange(spec.iterations, model.iterations);
        }
        // INVARIANT MARKET-36: stake, period and clock are at least the registration's.
        _floor("stake", spec.stake, p.minStake);
        _floor("challengePeriod", spec.challengePeriod, p.challengePeriod);
        _floor("clock", spec.clock, p.clock);
        // INVARIANT MARKET-37: period, clock, submission window and callback gas are at most the market's.
        Limits memory l = _limits;
        _ceiling("challengePeriod", spec.challengePeriod, l.maxChallengePeriod);
        _ceiling("clock", spec.clock, l.maxClock);
        _ceiling("submitWindow", spec.submitWindow, l.maxSubmitWindow);
        _ceiling("callbackGas", spec.callbackGas, l.maxCallbackGas);
    }

    function _floor(string memory parameter, uint256 value, uint256 floor) private pure {
        if (value < floor) revert BelowFloor(parameter, value, floor);
    }

    function _ceiling(string memory parameter, uint256 value, uint256 ceiling) private pure {
        if (value > ceiling) revert AboveCeiling(parameter, value, ceiling);
    }

    function _blob(bytes32 registrationId) private view returns (address account) {
        account = _registrations[registrationId];
        if (account == address(0)) revert UnknownRegistration(registrationId);
    }

    function _chunkKey(bytes32 root, uint256 height, uint256 length) private pure returns (bytes32) {
        return keccak256(abi.encode(root, height, length));
    }
}
