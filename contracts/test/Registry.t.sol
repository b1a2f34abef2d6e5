// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import "./MarketFixture.sol";
import {Blob} from "../src/Blob.sol";
import {ModelRoot} from "../src/ModelRoot.sol";
import {TensorTree} from "../src/TensorTree.sol";

/// The libraries behind an external face, so that their refusals can be expected.
contract Libraries {
    function tensorRoot(bytes calldata data, uint256 height) external pure returns (bytes32) {
        return TensorTree.root(data, height);
    }

    /// As `tensorRoot`, over memory that is full of ones.
    function dirtyTensorRoot(bytes calldata data, uint256 height) external pure returns (bytes32) {
        assembly ("memory-safe") {
            let free := mload(0x40)
            for { let i := 0 } lt(i, 8192) { i := add(i, 32) } { mstore(add(free, i), not(0)) }
        }
        return TensorTree.root(data, height);
    }

    function join(bytes32[] memory nodes, uint256 from, uint256 height) external pure returns (bytes32) {
        return TensorTree.join(nodes, from, height);
    }

    function slotsRoot(uint256[] memory slots, bytes32[] memory values, uint256 depth, bytes32[] memory siblings)
        external
        pure
        returns (bytes32)
    {
        return TensorTree.slotsRoot(slots, values, depth, siblings);
    }

    function store(bytes memory data) external returns (bytes memory) {
        return Blob.read(Blob.write(data));
    }
}

/// Rules of registration and of inputs: what a model, its terms and a request's inputs must be.
contract RegistryTest is MarketFixture {
    Libraries internal libraries;

    function setUp() public override {
        super.setUp();
        libraries = new Libraries();
    }

    /// The preimage with `size` bytes at `offset` replaced.
    function patched(uint256 offset, uint256 size, uint256 value) internal pure returns (bytes memory data) {
        data = preimage();
        for (uint256 i = 0; i < size; i++) data[offset + i] = bytes1(uint8(value >> (8 * (size - 1 - i))));
    }

    function refuses(bytes memory model, bytes memory error_) internal {
        bytes32[] memory values = initialValues();
        bytes32[] memory siblings = initialSiblings();
        vm.expectRevert(error_);
        registry.register(model, terms(), values, siblings);
    }

    function refusesTerms(Parameters memory p, bytes memory error_) internal {
        bytes32[] memory values = initialValues();
        bytes32[] memory siblings = initialSiblings();
        vm.expectRevert(error_);
        registry.register(preimage(), p, values, siblings);
    }

    // Trees and stored bytes

    function test_MARKET_1_D1_NoByteIsLeftOutOfATensorRoot() external {
        vm.expectRevert(abi.encodeWithSelector(DataTooLong.selector, 65, 64));
        libraries.tensorRoot(new bytes(65), 1);
    }

    function test_P7_TensorRootDoesNotDependOnDirtyMemory(bytes calldata data) external view {
        bytes calldata cut = data.length > 300 ? data[:300] : data;
        uint256 height = TensorTree.heightOf(cut.length);
        assertEq(libraries.dirtyTensorRoot(cut, height), tensorRoot(cut, height), "dirty root");
        assertEq(libraries.tensorRoot(cut, height + 2), tensorRoot(cut, height + 2), "padded root");
    }

    function test_JoinedChunksGiveTheTensorRoot(bytes calldata data) external view {
        bytes calldata cut = data.length > 500 ? data[:500] : data;
        uint256 count = cut.length == 0 ? 1 : (cut.length + 63) / 64;
        bytes32[] memory nodes = new bytes32[](count);
        for (uint256 i = 0; i < count; i++) {
            nodes[i] = tensorRoot(cut[64 * i:cut.length < 64 * (i + 1) ? cut.length : 64 * (i + 1)], 1);
        }
        assertEq(libraries.join(nodes, 1, 4), tensorRoot(cut, 4), "joined root");
    }

    function test_SlotsRootFuzz(uint256 seed, uint8 mask) external view {
        bytes32[] memory leaves = new bytes32[](8);
        for (uint256 i = 0; i < 8; i++) leaves[i] = keccak256(abi.encode(seed, i));
        uint256 count = 0;
        for (uint256 i = 0; i < 8; i++) if (mask >> i & 1 == 1) count++;
        if (count == 0) return;
        // Slots in descending order: the library sorts them.
        uint256[] memory slots = new uint256[](count);
        bytes32[] memory values = new bytes32[](count);
        for (uint256 i = 8; i > 0; i--) {
            if (mask >> (i - 1) & 1 == 0) continue;
            slots[--count] = i - 1;
        }
        count = slots.length;
        for (uint256 i = 0; i < count / 2; i++) (slots[i], slots[count - 1 - i]) = (slots[count - 1 - i], slots[i]);
        for (uint256 i = 0; i < count; i++) values[i] = leaves[slots[i]];
        assertEq(libraries.slotsRoot(slots, values, 3, siblingsFor(leaves, mask)), treeRoot(leaves), "slots root");
    }

    /// The siblings of the slots in `mask` in a tree of eight leaves, the slow way.
    function siblingsFor(bytes32[] memory leaves, uint256 mask) internal pure returns (bytes32[] memory siblings) {
        bytes32[] memory found = new bytes32[](8);
        bytes32[] memory level = leaves;
        uint256 count = 0;
        for (uint256 width = 8; width > 1; width /= 2) {
            uint256 above = 0;
            for (uint256 i = 0; i < width; i++) {
                bool known = mask >> i & 1 == 1;
                if (!known && mask >> (i ^ 1) & 1 == 1) found[count++] = level[i];
                if (known) above |= 1 << (i / 2);
            }
            bytes32[] memory next = new bytes32[](width / 2);
            for (uint256 i = 0; i < width / 2; i++) next[i] = hashPair(level[2 * i], level[2 * i + 1]);
            level = next;
            mask = above;
        }
        siblings = new bytes32[](count);
        for (uint256 i = 0; i < count; i++) siblings[i] = found[i];
    }

    function test_MARKET_2_P1_SlotsProofHasExactlyTheSiblingsOfItsDepth() external {
        bytes32[] memory values = initialValues();
        vm.expectRevert(abi.encodeWithSelector(ProofLength.selector, 2));
        registry.register(preimage(), terms(), values, new bytes32[](2));
        vm.expectRevert(abi.encodeWithSelector(ProofLength.selector, 4));
        registry.register(preimage(), terms(), values, new bytes32[](4));
    }

    function test_MARKET_3_BlobReadsBackWhatWasWritten(bytes memory data) external {
        assertEq(keccak256(libraries.store(data)), keccak256(data), "stored bytes");
        bytes memory largest = new bytes(Blob.MAX_BYTES);
        assertEq(keccak256(libraries.store(largest)), keccak256(largest), "largest");
        vm.expectRevert(abi.encodeWithSelector(BlobTooLarge.selector, Blob.MAX_BYTES + 1, Blob.MAX_BYTES));
        libraries.store(new bytes(Blob.MAX_BYTES + 1));
    }

    // The preimage

    function test_MARKET_4_P1_PreimageHasTheLengthOfItsCounts() external {
        refuses(bytes.concat(preimage(), hex"00"), abi.encodeWithSelector(PreimageLength.selector, 236, 235));
        refuses(patched(161, 2, 4), abi.encodeWithSelector(PreimageLength.selector, 235, 249));
        refuses(new bytes(164), abi.encodeWithSelector(PreimageLength.selector, 164, 165));
    }

    function test_MARKET_5_OnlyTheKnownVersion() external {
        refuses(patched(0, 4, 1), abi.encodeWithSelector(UnsupportedVersion.selector, 1));
    }

    function test_MARKET_6_ScheduleIsKnown() external {
        refuses(patched(112, 1, 2), abi.encodeWithSelector(UnknownSchedule.selector, 2));
    }

    function test_MARKET_7_D9_CountsOfZero() external {
        refuses(patched(36, 4, 0), abi.encodeWithSelector(NoNodes.selector));
        refuses(patched(72, 4, 0), abi.encodeWithSelector(NoWeights.selector));
        refuses(patched(108, 4, 0), abi.encodeWithSelector(NoSlots.selector));
        bytes memory none = bytes.concat(header(treeRoot(initialSlots()), 5, 2, 1, 0), port(0, 2, 2, 100));
        refuses(none, abi.encodeWithSelector(NoOutputs.selector));
    }

    function test_MARKET_8_D4_IterationsZeroOrBeyondCounting() external {
        refuses(patched(113, 8, 0), abi.encodeWithSelector(NoIterations.selector));
        refuses(
            patched(113, 8, type(uint64).max),
            abi.encodeWithSelector(TooManySteps.selector, 3 * uint256(type(uint64).max) + 1, ModelRoot.MAX_STEPS)
        );
    }

    function test_MARKET_9_D9_KeptIsAPowerOfTwoWithinTheWidth() external {
        refuses(patched(121, 4, 0), abi.encodeWithSelector(KeptNotPowerOfTwo.selector, 0));
        refuses(patched(121, 4, 3), abi.encodeWithSelector(KeptNotPowerOfTwo.selector, 3));
        refuses(patched(121, 4, 16), abi.encodeWithSelector(KeptAboveWidth.selector, 16, 8));
    }

    function test_MARKET_10_SeedAndSamplingAreOneLeaf() external {
        refuses(patched(165 + 14 + 6, 8, 31), abi.encodeWithSelector(RoleHeight.selector, 31));
    }

    function test_MARKET_11_DuplicateSlots() external {
        refuses(patched(165 + 14 + 2, 4, 2), abi.encodeWithSelector(DuplicateSlot.selector, 2));
        refuses(patched(165 + 56 + 2, 4, 0), abi.encodeWithSelector(DuplicateSlot.selector, 0));
    }

    function test_MARKET_12_SlotThatIsInputAndOutputHasOneLength() external {
        bytes memory model = bytes.concat(header(treeRoot(initialSlots()), 5, 4, 1, 1), port(0, 2, 2, 100), port(0, 2, 2, 99));
        refuses(model, abi.encodeWithSelector(SlotTypesDiffer.selector, 2));
    }

    function test_MARKET_13_SlotsAreInRange() external {
        refuses(patched(165 + 2, 4, 5), abi.encodeWithSelector(SlotOutOfRange.selector, 5, 5));
        refuses(patched(165 + 42 + 2, 4, type(uint32).max), abi.encodeWithSelector(SlotOutOfRange.selector, type(uint32).max, 5));
    }

    function test_MARKET_14_D1_D3_HeightFollowsFromTheByteLength() external {
        refuses(patched(165 + 1, 1, 1), abi.encodeWithSelector(HeightMismatch.selector, 1, 2));
        refuses(patched(165 + 43, 1, 2), abi.encodeWithSelector(HeightMismatch.selector, 2, 1));
        refuses(patched(165 + 6, 8, type(uint64).max), abi.encodeWithSelector(HeightMismatch.selector, 2, 59));
        refuses(patched(165 + 1, 1, 27), abi.encodeWithSelector(HeightAboveLimit.selector, 27, 26));
    }

    function test_MARKET_15_D13_StopSlotIsOneLeafAndNoInput() external {
        refuses(patched(125, 4, 2), abi.encodeWithSelector(StopSlotIsInput.selector, 2));
        refuses(patched(125, 4, 5), abi.encodeWithSelector(SlotOutOfRange.selector, 5, 5));
        refuses(patched(125, 4, 0), abi.encodeWithSelector(StopSlotHeight.selector, 1));
        registry.register(patched(125, 4, 1), terms(), initialValues(), initialSiblings());
    }

    function test_MARKET_16_D14_OutputOutsideTheKeptSlots() external {
        refuses(patched(121, 4, 1), abi.encodeWithSelector(OutputNotKept.selector, 1, 1));
    }

    function test_MARKET_17_OutputsThatCouldNotBeStored() external {
        uint256 count = 6;
        bytes memory list = "";
        for (uint32 i = 0; i < count; i++) list = bytes.concat(list, port(0, 7, i, 4096));
        bytes memory model = bytes.concat(header(bytes32(0), 8, 8, 0, uint16(count)), list);
        uint256 encoded = 64 + count * (128 + 4096);
        vm.expectRevert(abi.encodeWithSelector(OutputsTooLarge.selector, encoded, Blob.MAX_BYTES));
        registry.register(model, terms(), noSiblings(), noSiblings());
    }

    function test_MARKET_18_RolesAreKnown() external {
        refuses(patched(165, 1, 3), abi.encodeWithSelector(UnknownRole.selector, 3));
        refuses(patched(165 + 42, 1, 1), abi.encodeWithSelector(UnknownRole.selector, 1));
    }

    function test_AnyFlippedBitOfThePreimageGivesAnotherIdOrIsRefused(uint16 position) external {
        bytes32 id = register();
        bytes memory model = preimage();
        uint256 bit = uint256(position) % (8 * model.length);
        model[bit / 8] ^= bytes1(uint8(1 << (bit % 8)));
        try registry.register(model, terms(), initialValues(), initialSiblings()) returns (bytes32 other) {
            assertTrue(other != id, "same id for another model");
        } catch {}
    }

    // Registration

    function test_MARKET_21_InitialSlotsAreProven(uint8 which) external {
        bytes32[] memory values = initialValues();
        bytes32[] memory siblings = initialSiblings();
        if (which % 6 < 3) values[which % 3] ^= bytes32(uint256(1));
        else siblings[which % 3] ^= bytes32(uint256(1) << 255);
        vm.expectRevert();
        registry.register(preimage(), terms(), values, siblings);
    }

    function test_MARKET_22_D10_SquattingGivesAnotherId() external {
        bytes32 mine = register();
        vm.prank(bob);
        bytes32 his = registry.register(preimage(), terms(), initialValues(), initialSiblings());
        assertTrue(mine != his, "registrant is part of the id");
        Parameters memory p = terms();
        p.clock++;
        bytes32 other = registry.register(preimage(), p, initialValues(), initialSiblings());
        assertTrue(mine != other, "parameters are part of the id");
        assertEq(mine, keccak256(abi.encode(keccak256(preimage()), terms(), address(this))), "id");
        refuses(preimage(), abi.encodeWithSelector(AlreadyRegistered.selector, mine));
        (Registration memory head, bytes memory model) = registry.registration(mine);
        assertEq(head.registrant, address(this), "registrant");
        assertEq(keccak256(abi.encode(head.parameters)), keccak256(abi.encode(terms())), "terms");
        assertEq(keccak256(model), keccak256(preimage()), "model");
        assertEq(registry.shape(mine).kept, 2, "shape");
        vm.expectRevert(abi.encodeWithSelector(UnknownRegistration.selector, bytes32(0)));
        registry.shape(bytes32(0));
    }

    function test_MARKET_27_D9_ArityOutOfRange() external {
        uint8[2][6] memory wrong = [[uint8(1), 4], [33, 4], [0, 4], [255, 4], [16, 0], [16, 6]];
        for (uint256 i = 0; i < 6; i++) {
            Parameters memory p = terms();
            (p.k, p.q) = (wrong[i][0], wrong[i][1]);
            refusesTerms(p, abi.encodeWithSelector(ArityOutOfRange.selector, p.k, p.q));
        }
    }

    function test_MARKET_28_D10_TermsBelowTheFloors() external {
        Parameters memory p = terms();
        p.clock = 1;
        refusesTerms(p, abi.encodeWithSelector(BelowFloor.selector, "clock", 1, 30));
        p = terms();
        p.challengePeriod = 59;
        refusesTerms(p, abi.encodeWithSelector(BelowFloor.selector, "challengePeriod", 59, 60));
        p = terms();
        p.minStake = 1 ether - 1;
        refusesTerms(p, abi.encodeWithSelector(BelowFloor.selector, "minStake", 1 ether - 1, 1 ether));
        p = terms();
        p.challengerStake = 0;
        refusesTerms(p, abi.encodeWithSelector(BelowFloor.selector, "challengerStake", 0, 0.1 ether));
        p = terms();
        p.share = 0;
        refusesTerms(p, abi.encodeWithSelector(BelowFloor.selector, "share", 0, 0.01 ether));
        p = terms();
        p.compensation = 0;
        refusesTerms(p, abi.encodeWithSelector(BelowFloor.selector, "compensation", 0, 0.001 ether));
        p = terms();
        p.revealWindow = 19;
        refusesTerms(p, abi.encodeWithSelector(BelowFloor.selector, "revealWindow", 19, 20));
    }

    function test_MARKET_29_D15_TermsAboveTheCeilings() external {
        Parameters memory p = terms();
        p.challengerStake = 11 ether;
        refusesTerms(p, abi.encodeWithSelector(AboveCeiling.selector, "challengerStake", 11 ether, 10 ether));
        p = terms();
        p.clock = 3 days;
        refusesTerms(p, abi.encodeWithSelector(AboveCeiling.selector, "clock", 3 days, 2 days));
        p = terms();
        p.challengePeriod = type(uint32).max;
        refusesTerms(p, abi.encodeWithSelector(AboveCeiling.selector, "challengePeriod", type(uint32).max, 7 days));
        p = terms();
        p.revealWindow = 2 days;
        refusesTerms(p, abi.encodeWithSelector(AboveCeiling.selector, "revealWindow", 2 days, 1 days));
        p = terms();
        p.maxReopenings = 9;
        refusesTerms(p, abi.encodeWithSelector(AboveCeiling.selector, "maxReopenings", 9, 8));
    }

    function test_MARKET_30_D8_SharesNeverExceedHalf() external {
        Parameters memory p = terms();
        p.share = 0.18 ether + 1;
        refusesTerms(p, abi.encodeWithSelector(SharesExceedHalf.selector, 0.5 ether + 1, 0.5 ether));
        p = terms();
        p.challengerStake = 0.2 ether - 1;
        refusesTerms(p, abi.encodeWithSelector(SharesExceedHalf.selector, 0.1 ether, 0.1 ether - 1));
        p = terms();
        p.minStake = type(uint128).max;
        p.compensation = type(uint128).max;
        refusesTerms(
            p,
            abi.encodeWithSelector(
                SharesExceedHalf.selector, 0.1 ether + 16 * uint256(type(uint128).max), uint256(type(uint128).max) / 2
            )
        );
    }

    function test_MARKET_31_AttentionFieldsAreZero() external {
        for (uint256 i = 0; i < 6; i++) {
            Parameters memory p = terms();
            if (i == 0) p.attention.maxOpen = 1;
            if (i == 1) p.attention.bond = 1;
            if (i == 2) p.attention.wage = 1;
            if (i == 3) p.attention.threshold = 1;
            if (i == 4) p.attention.answerWindow = 1;
            if (i == 5) p.attention.accusationWindow = 1;
            refusesTerms(p, abi.encodeWithSelector(AttentionUnsupported.selector));
        }
    }

    function test_MARKET_66_LimitsLeaveTimeToEverybody() external {
        Limits memory l = limits();
        l.minClock = 0;
        refusesCreation("Registry", abi.encode(l), abi.encodeWithSelector(BelowFloor.selector, "minClock", 0, 1));
        l = limits();
        l.minChallengePeriod = 8 days;
        refusesCreation(
            "Registry",
            abi.encode(l),
            abi.encodeWithSelector(AboveCeiling.selector, "minChallengePeriod", 8 days, 7 days)
        );
    }

    // Inputs and S_0

    /// S_0 the slow way.
    function startOf(bytes32 input) internal pure returns (bytes32) {
        bytes32[] memory leaves = initialSlots();
        leaves[2] = input;
        leaves[3] = bytes32(uint256(77));
        leaves[4] = hex"0000010028000000666666e60000000000000000000000000000000000000000";
        return treeRoot(leaves);
    }

    function test_StartIsTheInitialSlotsWithTheInputsWrittenIn() external {
        bytes32 id = register();
        (bytes32 start, bool backed, uint64 steps) = registry.admit(spec(id), inputs());
        assertEq(start, startOf(tensorRoot(inputBytes, 2)), "start");
        assertTrue(backed, "backed");
        assertEq(steps, 13, "4 iterations of 3 nodes, and the finish step");
        RequestSpec memory s = spec(id);
        s.finish = false;
        (,, steps) = registry.admit(s, inputs());
        assertEq(steps, 12, "no finish step");
    }

    function test_MARKET_23_OneValueForEachDataInput() external {
        bytes32 id = register();
        vm.expectRevert(abi.encodeWithSelector(InputCount.selector, 0, 1));
        registry.admit(spec(id), new InputData[](0));
        vm.expectRevert(abi.encodeWithSelector(InputCount.selector, 2, 1));
        InputData[] memory two = new InputData[](2);
        two[0].data = inputBytes;
        registry.admit(spec(id), two);
    }

    function test_MARKET_24_D2_RootAloneIsUnbacked() external {
        bytes32 id = register();
        InputData[] memory list = new InputData[](1);
        list[0].source = InputSource.Root;
        list[0].roots = new bytes32[](1);
        list[0].roots[0] = tensorRoot(inputBytes, 2);
        (bytes32 start, bool backed,) = registry.admit(spec(id), list);
        assertFalse(backed, "unbacked");
        assertEq(start, startOf(tensorRoot(inputBytes, 2)), "the same start");
        list[0].roots = new bytes32[](2);
        vm.expectRevert(abi.encodeWithSelector(ChunkCount.selector, 2, 1));
        registry.admit(spec(id), list);
    }

    function test_MARKET_25_D1_InputBytesHaveTheRegisteredLength(uint8 length) external {
        if (length == 100) return;
        bytes32 id = register();
        InputData[] memory list = inputs();
        list[0].data = new bytes(length);
        vm.expectRevert(abi.encodeWithSelector(InputLength.selector, length, 100));
        registry.admit(spec(id), list);
    }

    function slice(uint256 from, uint256 to) internal view returns (bytes memory data) {
        data = new bytes(to - from);
        for (uint256 i = from; i < to; i++) data[i - from] = inputBytes[i];
    }

    function chunked() internal view returns (InputData[] memory list) {
        list = new InputData[](1);
        list[0].source = InputSource.Chunks;
        list[0].chunkHeight = 1;
        list[0].roots = new bytes32[](2);
        list[0].roots[0] = tensorRoot(slice(0, 64), 1);
        list[0].roots[1] = tensorRoot(slice(64, 100), 1);
    }

    function test_MARKET_26_O2_ChunksCoverTheInputExactly() external {
        bytes32 id = register();
        InputData[] memory list = chunked();
        vm.expectRevert(abi.encodeWithSelector(UnknownChunk.selector, list[0].roots[0], 1, 64));
        registry.admit(spec(id), list);
        assertEq(registry.upload(slice(0, 64), 1), list[0].roots[0], "first chunk");
        // The same leaves from fewer or more bytes are another fact.
        registry.upload(bytes.concat(slice(64, 100), hex"00"), 1);
        vm.expectRevert(abi.encodeWithSelector(UnknownChunk.selector, list[0].roots[1], 1, 36));
        registry.admit(spec(id), list);
        registry.upload(slice(64, 100), 1);
        assertTrue(registry.uploaded(list[0].roots[1], 1, 36), "last chunk");
        (bytes32 start, bool backed,) = registry.admit(spec(id), list);
        assertEq(start, startOf(tensorRoot(inputBytes, 2)), "start from chunks");
        assertTrue(backed, "backed");
        list[0].chunkHeight = 3;
        vm.expectRevert(abi.encodeWithSelector(ChunkHeight.selector, 3, 2));
        registry.admit(spec(id), list);
        list[0].chunkHeight = 0;
        vm.expectRevert(abi.encodeWithSelector(ChunkCount.selector, 2, 4));
        registry.admit(spec(id), list);
    }

    function test_MARKET_35_D4_IterationsFollowTheSchedule() external {
        bytes32 id = register();
        RequestSpec memory s = spec(id);
        s.iterations = 0;
        vm.expectRevert(abi.encodeWithSelector(IterationsOutOfRange.selector, 0, 10));
        registry.admit(s, inputs());
        s.iterations = 1 << 40;
        vm.expectRevert(abi.encodeWithSelector(IterationsOutOfRange.selector, 1 << 40, 10));
        registry.admit(s, inputs());
        s.registrationId = registry.register(patched(112, 1, 0), terms(), initialValues(), initialSiblings());
        s.iterations = 9;
        vm.expectRevert(abi.encodeWithSelector(IterationsOutOfRange.selector, 9, 10));
        registry.admit(s, inputs());
        s.iterations = 10;
        registry.admit(s, inputs());
    }

    function test_MARKET_36_RequestsAreNotBelowTheRegistration() external {
        bytes32 id = register();
        RequestSpec memory s = spec(id);
        s.stake = 1 ether - 1;
        vm.expectRevert(abi.encodeWithSelector(BelowFloor.selector, "stake", 1 ether - 1, 1 ether));
        registry.admit(s, inputs());
        s = spec(id);
        s.challengePeriod = 599;
        vm.expectRevert(abi.encodeWithSelector(BelowFloor.selector, "challengePeriod", 599, 600));
        registry.admit(s, inputs());
        s = spec(id);
        s.clock = 299;
        vm.expectRevert(abi.encodeWithSelector(BelowFloor.selector, "clock", 299, 300));
        registry.admit(s, inputs());
    }

    function test_MARKET_37_D15_RequestsAreNotAboveTheMarket() external {
        bytes32 id = register();
        RequestSpec memory s = spec(id);
        s.challengePeriod = 8 days;
        vm.expectRevert(abi.encodeWithSelector(AboveCeiling.selector, "challengePeriod", 8 days, 7 days));
        registry.admit(s, inputs());
        s = spec(id);
        s.clock = 3 days;
        vm.expectRevert(abi.encodeWithSelector(AboveCeiling.selector, "clock", 3 days, 2 days));
        registry.admit(s, inputs());
        s = spec(id);
        s.submitWindow = 8 days;
        vm.expectRevert(abi.encodeWithSelector(AboveCeiling.selector, "submitWindow", 8 days, 7 days));
        registry.admit(s, inputs());
        s = spec(id);
        s.callbackGas = 1_000_001;
        vm.expectRevert(abi.encodeWithSelector(AboveCeiling.selector, "callbackGas", 1_000_001, 1_000_000));
        registry.admit(s, inputs());
    }
}
