// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import "../src/MarketTypes.sol";
import {Descriptor} from "../src/Descriptor.sol";
import {FinalState} from "../src/FinalState.sol";
import {Output} from "../src/IConsumer.sol";
import {InitialState} from "../src/InitialState.sol";
import {Market} from "../src/Market.sol";
import {Model, ModelRoot, Port} from "../src/ModelRoot.sol";
import {Paths} from "../src/Paths.sol";
import {TensorTree} from "../src/TensorTree.sol";
import {MarketFixture} from "./MarketFixture.sol";
import {Test} from "./Test.sol";

/// Cheat codes that only these tests need.
interface IJsonCheats {
    function chainId(uint256 id) external;
    function keyExistsJson(string calldata json, string calldata key) external view returns (bool);
    function parseJsonAddress(string calldata json, string calldata key) external pure returns (address);
    function parseJsonBool(string calldata json, string calldata key) external pure returns (bool);
    function parseJsonString(string calldata json, string calldata key) external pure returns (string memory);
    function parseJsonUintArray(string calldata json, string calldata key) external pure returns (uint256[] memory);
}

/// The libraries of the formats with a door, because they read calldata.
contract FormatsHarness {
    function tensorRoot(bytes calldata data, uint256 height) external pure returns (bytes32) {
        return TensorTree.root(data, height);
    }

    function pathRoot(bytes32 node, uint256 index, bytes32[] calldata path, uint256 depth) external pure returns (bytes32) {
        return Paths.root(node, index, path, depth);
    }

    function slotsRoot(uint256[] memory slots, bytes32[] memory values, uint256 depth, bytes32[] memory siblings)
        external
        pure
        returns (bytes32)
    {
        return TensorTree.slotsRoot(slots, values, depth, siblings);
    }

    function isVoid(bytes calldata d, uint32 weights, uint32 slots) external pure returns (bool) {
        return Descriptor.isVoid(d, weights, slots);
    }

    function descriptorHeader(bytes calldata d)
        external
        pure
        returns (bytes32 root, uint256 height, bool whole, uint256 resultHeight, uint64 maxSteps, uint32 slot, uint256 operands)
    {
        root = Descriptor.programRoot(d);
        height = Descriptor.programHeight(d);
        whole = Descriptor.whole(d);
        resultHeight = Descriptor.resultHeight(d);
        maxSteps = Descriptor.maxSteps(d);
        slot = Descriptor.resultSlot(d);
        operands = Descriptor.operands(d);
    }

    function operand(bytes calldata d, uint256 j) external pure returns (uint256 kind, uint256 index) {
        return Descriptor.operand(d, j);
    }

    function parse(bytes memory preimage) external pure returns (Model memory) {
        return ModelRoot.parse(preimage);
    }

    function finalState(
        bytes calldata state,
        uint64 steps,
        uint64 maxSteps,
        bytes32 result,
        uint256 height,
        bytes calldata outputPath
    ) external pure returns (bytes32) {
        return FinalState.check(state, steps, maxSteps, result, height, outputPath);
    }
}

/// Golden vectors of docs/formats.md in tests/vectors/formats.json, as the contracts read them.
contract FormatsTest is Test {
    FormatsHarness private harness;
    string private json;

    IJsonCheats private constant cheats = IJsonCheats(address(vm));

    function setUp() public {
        harness = new FormatsHarness();
        json = vm.readFile("../tests/vectors/formats.json");
    }

    function row(string memory table, uint256 i) private pure returns (string memory) {
        return string.concat(".", table, "[", vm.toString(i), "]");
    }

    function exists(string memory entry) private view returns (bool) {
        return cheats.keyExistsJson(json, entry);
    }

    function bytesAt(string memory entry, string memory key) private view returns (bytes memory) {
        return vm.parseJsonBytes(json, string.concat(entry, key));
    }

    function wordAt(string memory entry, string memory key) private view returns (bytes32) {
        return vm.parseJsonBytes32(json, string.concat(entry, key));
    }

    function uintAt(string memory entry, string memory key) private view returns (uint256) {
        return vm.parseJsonUint(json, string.concat(entry, key));
    }

    function textAt(string memory entry, string memory key) private view returns (string memory) {
        return cheats.parseJsonString(json, string.concat(entry, key));
    }

    function flagAt(string memory entry, string memory key) private view returns (bool) {
        return cheats.parseJsonBool(json, string.concat(entry, key));
    }

    /// Nodes that stand one behind the other.
    function wordsAt(string memory entry, string memory key) private view returns (bytes32[] memory words) {
        return split(bytesAt(entry, key));
    }

    function split(bytes memory data) private pure returns (bytes32[] memory words) {
        words = new bytes32[](data.length / 32);
        for (uint256 i = 0; i < words.length; i++) {
            assembly ("memory-safe") {
                let offset := shl(5, add(i, 1))
                mstore(add(words, offset), mload(add(data, offset)))
            }
        }
    }

    function cut(bytes32[] memory words, uint256 count) private pure returns (bytes32[] memory list) {
        list = new bytes32[](count);
        for (uint256 i = 0; i < count && i < words.length; i++) list[i] = words[i];
    }

    function testZeroHashes() public view {
        uint256 h = 0;
        for (; exists(row("zeroHashes", h)); h++) {
            assertEq(Paths.zero(h), wordAt(row("zeroHashes", h), ""), "zero hash");
        }
        assertEq(h, 28, "heights");
    }

    function testTensors() public {
        uint256 i = 0;
        for (; exists(row("tensors", i)); i++) {
            string memory entry = row("tensors", i);
            bytes memory data = bytesAt(entry, ".bytes");
            uint256 height = uintAt(entry, ".height");
            bytes32 root = wordAt(entry, ".root");
            assertEq(TensorTree.heightOf(data.length), height, "height");
            assertEq(harness.tensorRoot(data, height), root, "root");
            bytes32[] memory path = wordsAt(entry, ".path");
            assertEq(path.length, height, "path");
            bytes32 leaf = wordAt(entry, ".leaf");
            assertEq(harness.pathRoot(leaf, uintAt(entry, ".index"), path, height), root, "root of the path");
            vm.expectRevert();
            harness.pathRoot(leaf, 0, path, height + 1);
        }
        assertEq(i, 12, "rows");
    }

    function testStates() public view {
        uint256 i = 0;
        for (; exists(row("states", i)); i++) {
            string memory entry = row("states", i);
            bytes32[] memory leaves = wordsAt(entry, ".leaves");
            uint256 depth = TensorTree.depthOf(leaves.length);
            uint256 kept = uintAt(entry, ".kept");
            uint256 inner = TensorTree.depthOf(kept);
            assertEq(depth, uintAt(entry, ".depth"), "depth");
            assertEq(Paths.depthOf(leaves.length), depth, "the game's depth");
            assertEq(TensorTree.join(cut(leaves, leaves.length), 0, depth), wordAt(entry, ".root"), "root");
            bytes32 node = TensorTree.join(cut(leaves, kept), 0, inner);
            assertEq(Paths.joinZeros(node, inner, depth), wordAt(entry, ".finished"), "the game's finish");
            assertEq(TensorTree.extend(node, inner, depth), wordAt(entry, ".finished"), "the market's finish");
        }
        assertEq(i, 8, "rows");
    }

    function testSlotsProofs() public {
        uint256 i = 0;
        for (; exists(row("slotsProofs", i)); i++) {
            string memory entry = row("slotsProofs", i);
            uint256[] memory slots = cheats.parseJsonUintArray(json, string.concat(entry, ".slots"));
            bytes32[] memory values = wordsAt(entry, ".values");
            bytes32[] memory siblings = wordsAt(entry, ".siblings");
            uint256 depth = uintAt(entry, ".depth");
            assertEq(harness.slotsRoot(slots, values, depth, siblings), wordAt(entry, ".root"), "root");
            vm.expectRevert();
            harness.slotsRoot(slots, values, depth, cut(siblings, siblings.length + 1));
            if (siblings.length == 0) continue;
            vm.expectRevert();
            harness.slotsRoot(slots, values, depth, cut(siblings, siblings.length - 1));
        }
        assertEq(i, 8, "rows");
    }

    function testDescriptors() public view {
        uint256 voids = 0;
        uint256 i = 0;
        for (; exists(row("descriptors", i)); i++) {
            string memory entry = row("descriptors", i);
            bytes memory d = bytesAt(entry, ".bytes");
            bool isVoid = flagAt(entry, ".void");
            assertTrue(harness.isVoid(d, 3, 5) == isVoid, textAt(entry, ".name"));
            if (isVoid) voids++;
            else checkDescriptor(entry, d);
        }
        assertEq(i - voids, 5, "valid ones");
        assertEq(voids, 25, "void ones");
    }

    function checkDescriptor(string memory entry, bytes memory d) private view {
        (bytes32 root, uint256 height, bool whole, uint256 resultHeight, uint64 maxSteps, uint32 slot, uint256 operands) =
            harness.descriptorHeader(d);
        assertEq(keccak256(d), wordAt(entry, ".hash"), "hash");
        assertEq(root, wordAt(entry, ".programRoot"), "program root");
        assertEq(height, uintAt(entry, ".programHeight"), "program height");
        assertTrue(whole == flagAt(entry, ".whole"), "whole");
        assertEq(resultHeight, uintAt(entry, ".resultHeight"), "result height");
        assertEq(maxSteps, uintAt(entry, ".maxSteps"), "max steps");
        assertEq(slot, uintAt(entry, ".resultSlot"), "result slot");
        for (uint256 j = 0; j < operands; j++) {
            checkOperand(string.concat(entry, ".operands[", vm.toString(j), "]"), d, j);
        }
        assertFalse(exists(string.concat(entry, ".operands[", vm.toString(operands), "]")), "more operands");
    }

    function checkOperand(string memory entry, bytes memory d, uint256 j) private view {
        (uint256 kind, uint256 index) = harness.operand(d, j);
        string[3] memory kinds = ["weight", "slot", "weights_table"];
        assertEq(keccak256(bytes(kinds[kind])), keccak256(bytes(textAt(entry, ".kind"))), "kind");
        assertEq(index, uintAt(entry, ".index"), "index");
    }

    function testModelRoots() public {
        uint256 refused = 0;
        uint256 i = 0;
        for (; exists(row("modelRoots", i)); i++) {
            string memory entry = row("modelRoots", i);
            bytes memory preimage = bytesAt(entry, ".preimage");
            if (flagAt(entry, ".refused")) {
                refused++;
                vm.expectRevert();
                harness.parse(preimage);
            } else {
                assertEq(keccak256(preimage), wordAt(entry, ".root"), "model root");
                checkModel(entry, harness.parse(preimage));
            }
        }
        assertEq(i - refused, 4, "parsed ones");
        assertEq(refused, 9, "refused ones");
    }

    function checkModel(string memory entry, Model memory model) private view {
        assertEq(model.shape.programRoot, wordAt(entry, ".programRoot"), "program root");
        assertEq(model.shape.weightsRoot, wordAt(entry, ".weightsRoot"), "weights root");
        assertEq(model.initialSlotsRoot, wordAt(entry, ".initialSlotsRoot"), "initial slots root");
        assertEq(model.shape.nodes, uintAt(entry, ".nodes"), "nodes");
        assertEq(model.shape.weights, uintAt(entry, ".weights"), "weights");
        assertEq(model.shape.slots, uintAt(entry, ".slots"), "slots");
        assertEq(model.shape.kept, uintAt(entry, ".kept"), "kept");
        assertEq(model.shape.stopSlot, uintAt(entry, ".stopSlot"), "stop slot");
        assertTrue(model.iterationsChosen == (bytes(textAt(entry, ".schedule")).length == 7), "schedule");
        assertEq(model.iterations, uintAt(entry, ".iterations"), "iterations");
        checkPorts(string.concat(entry, ".inputs"), model.inputs);
        checkPorts(string.concat(entry, ".outputs"), model.outputs);
    }

    function checkPorts(string memory list, Port[] memory ports) private view {
        string[3] memory roles = ["data", "seed", "sampling"];
        for (uint256 j = 0; j < ports.length; j++) {
            string memory entry = string.concat(list, "[", vm.toString(j), "]");
            assertEq(
                keccak256(bytes(roles[uint256(ports[j].role)])), keccak256(bytes(textAt(entry, ".role"))), "role"
            );
            assertEq(ports[j].height, uintAt(entry, ".height"), "height");
            assertEq(ports[j].slot, uintAt(entry, ".slot"), "slot");
            assertEq(ports[j].byteLength, uintAt(entry, ".byteLength"), "byte length");
        }
        assertFalse(exists(string.concat(list, "[", vm.toString(ports.length), "]")), "more ports");
    }

    function testInitialStates() public view {
        uint256 i = 0;
        for (; exists(row("initialStates", i)); i++) {
            string memory entry = row("initialStates", i);
            bytes32[] memory roots = wordsAt(entry, ".operandRoots");
            bytes32[] memory leaves = new bytes32[](1 + roots.length);
            for (uint256 j = 0; j < roots.length; j++) leaves[1 + j] = roots[j];
            bytes32 hash = InitialState.hash(
                wordAt(entry, ".programRoot"),
                uintAt(entry, ".programHeight"),
                uint32(uintAt(entry, ".leafIndex")),
                uint32(uintAt(entry, ".iteration")),
                leaves
            );
            assertEq(hash, wordAt(entry, ".hash"), "hash");
        }
        assertEq(i, 4, "rows");
    }

    function testFinalStates() public {
        uint256 refused = 0;
        uint256 i = 0;
        for (; exists(row("finalStates", i)); i++) {
            string memory entry = row("finalStates", i);
            bytes memory state = bytesAt(entry, ".state");
            uint64 steps = uint64(uintAt(entry, ".steps"));
            uint64 maxSteps = uint64(uintAt(entry, ".maxSteps"));
            bytes32 result = wordAt(entry, ".result");
            uint256 height = uintAt(entry, ".height");
            bytes memory path = bytesAt(entry, ".outputPath");
            if (flagAt(entry, ".refused")) {
                refused++;
                vm.expectRevert();
                harness.finalState(state, steps, maxSteps, result, height, path);
            } else {
                bytes32 expected = wordAt(entry, ".hash");
                bytes32 hash = harness.finalState(state, steps, maxSteps, result, height, path);
                assertEq(hash, expected, textAt(entry, ".name"));
            }
        }
        assertEq(i - refused, 9, "accepted ones");
        assertEq(refused, 18, "refused ones");
    }
}

/// One request's life: every id and commitment is the one in tests/vectors/formats.json.
contract FormatsMarketTest is MarketFixture {
    IJsonCheats private constant cheats = IJsonCheats(address(vm));

    string private json;

    function setUp() public override {
        super.setUp();
        json = vm.readFile("../tests/vectors/formats.json");
        cheats.chainId(vm.parseJsonUint(json, ".market.chainId"));
        // Ids name the market: it moves to the address of the vector before it holds anything.
        address entry = account("market");
        vm.etch(entry, address(market).code);
        market = Market(entry);
        game.setMarket(market);
    }

    function word(string memory key) private view returns (bytes32) {
        return vm.parseJsonBytes32(json, string.concat(".market.", key));
    }

    function data(string memory key) private view returns (bytes memory) {
        return vm.parseJsonBytes(json, string.concat(".market.", key));
    }

    function account(string memory key) private view returns (address) {
        return cheats.parseJsonAddress(json, string.concat(".market.", key));
    }

    function words(string memory key) private view returns (bytes32[] memory list) {
        bytes memory packed = data(key);
        list = new bytes32[](packed.length / 32);
        for (uint256 i = 0; i < list.length; i++) {
            assembly ("memory-safe") {
                let offset := shl(5, add(i, 1))
                mstore(add(list, offset), mload(add(packed, offset)))
            }
        }
    }

    function testIdsOfALife() public {
        bytes memory model = data("preimage");
        assertEq(keccak256(model), word("modelRoot"), "model root");
        Parameters memory parameters = abi.decode(data("parameters"), (Parameters));
        vm.prank(account("registrant"));
        bytes32 registrationId = registry.register(model, parameters, words("values"), words("siblings"));
        assertEq(registrationId, word("registrationId"), "registration id");

        bytes32 requestId = asked();
        assertEq(requestId, word("requestId"), "request id");
        assertEq(market.getRequest(requestId).start, word("start"), "S_0");

        bytes32 submissionId = answered(requestId);
        assertEq(submissionId, word("submissionId"), "submission id");

        pass(1);
        bytes32 firstMove = keccak256(
            abi.encodePacked(account("challenger"), word("firstMove.claim"), words("firstMove.hashes"), word("firstMove.salt"))
        );
        assertEq(firstMove, word("firstMoveCommitment"), "first move");
        address challenger = account("challenger");
        vm.deal(challenger, 1 ether);
        vm.prank(challenger);
        bytes32 disputeId = market.openDispute{value: parameters.challengerStake}(submissionId, firstMove);
        assertEq(disputeId, word("disputeId"), "dispute id");
        assertEq(game.disputeOf(disputeId).commitment, firstMove, "commitment that the game was given");
    }

    function asked() private returns (bytes32) {
        RequestSpec memory spec_ = abi.decode(data("spec"), (RequestSpec));
        InputData[] memory list = new InputData[](1);
        list[0].data = data("input");
        address requester = account("requester");
        vm.deal(requester, spec_.fee);
        vm.prank(requester);
        return market.request{value: spec_.fee}(spec_, list);
    }

    /// Commits and reveals; the reveal shows that commitment and outputs' proof are the vector's.
    function answered(bytes32 requestId) private returns (bytes32 submissionId) {
        address submitter = account("submitter");
        bytes32 commitment = word("commitment");
        bytes32 claim = word("claim");
        bytes32 salt = word("salt");
        assertEq(salt, keccak256(abi.encodePacked(word("secret"), "ChainLearn salt 1", requestId, uint32(1))), "salt");
        vm.deal(submitter, 1 ether);
        vm.prank(submitter);
        submissionId = market.commit{value: 1 ether}(requestId, commitment);
        pass(1);
        Output[] memory list = new Output[](2);
        for (uint256 i = 0; i < 2; i++) list[i].data = data(string.concat("outputs[", vm.toString(i), "]"));
        bytes32[] memory siblings = words("outputSiblings");
        vm.prank(submitter);
        market.reveal(requestId, claim, salt, list, siblings);
    }
}
