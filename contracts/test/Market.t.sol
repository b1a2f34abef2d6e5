// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import "./MarketFixture.sol";

/// Returns a megabyte, or reverts with one.
contract Bomb is Asker {
    bool internal immutable reverting;

    constructor(Market market_, bool reverting_) Asker(market_) {
        reverting = reverting_;
    }

    function onResult(bytes32, bytes32, uint256, uint256, bool, Output[] calldata) external view override {
        bool fails = reverting;
        assembly ("memory-safe") {
            if fails { revert(0, 100000) }
            return(0, 100000)
        }
    }
}

/// The life of a request without disputes: windows, stakes, ids, finality and callbacks, each rule by its number.
contract MarketTest is MarketFixture {
    // Requests

    function test_MARKET_32_RegistryAndGameAreDeployed() external {
        bytes memory error_ = abi.encodeWithSelector(NotDeployed.selector);
        refusesCreation("Market", abi.encode(registry, alice), error_);
        refusesCreation("Market", abi.encode(alice, game), error_);
    }

    function test_MARKET_33_B_ExactAmounts() external {
        RequestSpec memory s = spec(register());
        vm.expectRevert(abi.encodeWithSelector(WrongValue.selector, 0.5 ether - 1, 0.5 ether));
        market.request{value: 0.5 ether - 1}(s, inputs());
        vm.expectRevert(abi.encodeWithSelector(WrongValue.selector, 0.5 ether + 1, 0.5 ether));
        market.request{value: 0.5 ether + 1}(s, inputs());
    }

    function test_MARKET_34_D7_F_IdsAreHashesOfTheWholeContent() external {
        RequestSpec memory s = spec(register());
        bytes32 id = market.request{value: s.fee}(s, inputs());
        vm.expectRevert(abi.encodeWithSelector(RequestExists.selector, id));
        market.request{value: s.fee}(s, inputs());
        // One difference at a time, each giving another id.
        bytes32[] memory ids = new bytes32[](7);
        vm.prank(alice);
        ids[0] = market.request{value: s.fee}(s, inputs());
        s.nonce++;
        ids[1] = market.request{value: s.fee}(s, inputs());
        s.seed = bytes32(uint256(1));
        ids[2] = market.request{value: s.fee}(s, inputs());
        InputData[] memory other = inputs();
        other[0].data[99] = 0xff;
        ids[3] = market.request{value: s.fee}(s, other);
        other = inputs();
        other[0].source = InputSource.Root;
        other[0].roots = new bytes32[](1);
        other[0].roots[0] = tensorRoot(inputBytes, 2);
        ids[4] = market.request{value: s.fee}(s, other);
        s.finish = false;
        ids[5] = market.request{value: s.fee}(s, inputs());
        chain.chainId(99);
        ids[6] = market.request{value: s.fee}(s, inputs());
        for (uint256 i = 0; i < ids.length; i++) {
            assertTrue(ids[i] != id, "id differs from the first");
            for (uint256 j = 0; j < i; j++) assertTrue(ids[i] != ids[j], "ids differ");
        }
    }

    function test_MARKET_34_D7_F_AnotherMarketGivesAnotherId() external {
        RequestSpec memory s = spec(register());
        Market second = Market(created("Market", abi.encode(registry, game)));
        assertTrue(
            market.request{value: s.fee}(s, inputs()) != second.request{value: s.fee}(s, inputs()),
            "contract is part of the id"
        );
    }

    function test_MARKET_38_D12_CallbackToAConsumerThatNeverAsked() external {
        RequestSpec memory s = spec(register());
        s.callback = address(new Asker(market));
        vm.expectRevert(abi.encodeWithSelector(CallbackNotRequester.selector, s.callback));
        market.request{value: s.fee}(s, inputs());
    }

    function test_MARKET_39_RefundAfterTheWindowAlone() external {
        bytes32 id = opened();
        pass(200);
        vm.expectRevert(abi.encodeWithSelector(NotExpired.selector, time, time));
        market.refund(id);
        pass(1);
        vm.prank(carol);
        market.refund(id);
        assertEq(market.credits(address(this)), 0.5 ether, "fee back");
        vm.expectRevert(abi.encodeWithSelector(WrongStatus.selector, RequestStatus.Refunded, RequestStatus.Open));
        market.refund(id);
    }

    // Commit and reveal

    function test_MARKET_40_C_CommitWithinTheWindow() external {
        bytes32 id = opened();
        pass(201);
        vm.expectRevert(abi.encodeWithSelector(TooLate.selector, time, time - 1));
        market.commit{value: 1 ether}(id, bytes32(0));
    }

    function test_MARKET_40_C_CommitInTheLastSecond() external {
        bytes32 id = opened();
        pass(200);
        committed(id, bob);
    }

    function test_MARKET_41_D8_EverySubmissionLocksItsOwnStake() external {
        bytes32 id = opened();
        vm.expectRevert(abi.encodeWithSelector(WrongValue.selector, 0, 1 ether));
        market.commit(id, bytes32(uint256(1)));
        committed(id, bob);
        // The first commit owns the window.
        vm.expectRevert(abi.encodeWithSelector(WrongStatus.selector, RequestStatus.Committed, RequestStatus.Open));
        market.commit{value: 1 ether}(id, bytes32(uint256(2)));
    }

    function test_MARKET_42_F_SubmissionIdIsUsedOnce_TheSameClaimCanBePostedAgain() external {
        bytes32 id = opened();
        bytes32 submission = committed(id, bob);
        pass(101);
        market.forfeit(id);
        bytes32 commitment = commitmentOf(id, bob, claimOf());
        vm.prank(bob);
        vm.expectRevert(abi.encodeWithSelector(SubmissionExists.selector, submission));
        market.commit{value: 1 ether}(id, commitment);
        // The same state under another salt is welcome.
        commitment = keccak256(abi.encodePacked(id, bob, claimOf(), bytes32(uint256(8))));
        vm.prank(bob);
        market.commit{value: 1 ether}(id, commitment);
        pass(1);
        vm.prank(bob);
        market.reveal(id, claimOf(), bytes32(uint256(8)), outputs(), noSiblings());
    }

    function test_MARKET_43_D6_OnlyTheSubmitterRevealsAndNotInTheSameBlock() external {
        bytes32 id = opened();
        committed(id, bob);
        bytes32 claim = claimOf();
        vm.prank(bob);
        vm.expectRevert(abi.encodeWithSelector(SameBlock.selector, number));
        market.reveal(id, claim, SALT, outputs(), noSiblings());
        pass(1);
        vm.prank(carol);
        vm.expectRevert(abi.encodeWithSelector(NotSubmitter.selector, carol, bob));
        market.reveal(id, claim, SALT, outputs(), noSiblings());
    }

    function test_MARKET_44_D6_CommitmentCopiedFromTheMempoolCannotBeRevealed() external {
        bytes32 id = opened();
        bytes32 copied = commitmentOf(id, bob, claimOf());
        vm.prank(carol);
        bytes32 submission = market.commit{value: 1 ether}(id, copied);
        pass(1);
        bytes32 claim = claimOf();
        bytes32 found = keccak256(
            abi.encode(block.chainid, address(market), id, carol, commitmentOf(id, carol, claim))
        );
        vm.prank(carol);
        vm.expectRevert(abi.encodeWithSelector(CommitmentMismatch.selector, found, submission));
        market.reveal(id, claim, SALT, outputs(), noSiblings());
    }

    function refusesReveal(Output[] memory list, bytes32[] memory siblings, bytes memory error_) internal {
        bytes32 id = opened();
        committed(id, bob);
        pass(1);
        bytes32 claim = claimOf();
        vm.prank(bob);
        vm.expectRevert(error_);
        market.reveal(id, claim, SALT, list, siblings);
    }

    function test_MARKET_45_EveryOutputIsRevealed() external {
        refusesReveal(new Output[](1), noSiblings(), abi.encodeWithSelector(OutputCount.selector, 1, 2));
    }

    function test_MARKET_46_D1_OutputTruncated() external {
        Output[] memory list = outputs();
        list[0].data = new bytes(39);
        refusesReveal(list, noSiblings(), abi.encodeWithSelector(OutputLength.selector, 39, 40));
    }

    function test_MARKET_46_D1_OutputZeroExtended() external {
        Output[] memory list = outputs();
        list[1].data = bytes.concat(secondBytes, hex"00");
        refusesReveal(list, noSiblings(), abi.encodeWithSelector(OutputLength.selector, 5, 4));
    }

    function test_MARKET_46_D1_SmallOutputIsNeverARootAlone() external {
        Output[] memory list = outputs();
        list[0] = Output({root: tensorRoot(firstBytes, 1), data: ""});
        refusesReveal(list, noSiblings(), abi.encodeWithSelector(OutputLength.selector, 0, 40));
    }

    function test_MARKET_47_OutputsAreThoseOfTheFinalState(uint8 position) external {
        Output[] memory list = outputs();
        list[0].data[position % 40] ^= 0x10;
        bytes32 found = treeRoot(finalSlots(list[0].data, secondBytes, true));
        refusesReveal(list, noSiblings(), abi.encodeWithSelector(OutputsNotInState.selector, found, claimOf()));
    }

    function test_MARKET_47_D1_ProofOneLevelTooLong() external {
        refusesReveal(outputs(), new bytes32[](1), abi.encodeWithSelector(ProofLength.selector, 1));
    }

    function test_MARKET_47_D14_ForeignSiblingOfTheKeptSubtree() external {
        // A state without the finish step's zeros, revealed for a request that has the step.
        bytes32 id = opened();
        bytes32 claim = treeRoot(finalSlots(firstBytes, secondBytes, false));
        bytes32 commitment = commitmentOf(id, bob, claim);
        vm.prank(bob);
        market.commit{value: 1 ether}(id, commitment);
        pass(1);
        bytes32 found = claimOf();
        vm.prank(bob);
        vm.expectRevert(abi.encodeWithSelector(OutputsNotInState.selector, found, claim));
        market.reveal(id, claim, SALT, outputs(), noSiblings());
    }

    function test_RevealWithoutAFinishStepProvesTheWholeTree() external {
        RequestSpec memory s = spec(register());
        s.finish = false;
        bytes32 id = market.request{value: s.fee}(s, inputs());
        bytes32[] memory leaves = finalSlots(firstBytes, secondBytes, false);
        bytes32 claim = treeRoot(leaves);
        bytes32 commitment = commitmentOf(id, bob, claim);
        vm.prank(bob);
        market.commit{value: 1 ether}(id, commitment);
        pass(1);
        bytes32[] memory siblings = new bytes32[](2);
        siblings[0] = hashPair(leaves[2], leaves[3]);
        siblings[1] = hashPair(hashPair(leaves[4], leaves[5]), hashPair(leaves[6], leaves[7]));
        vm.prank(bob);
        market.reveal(id, claim, SALT, outputs(), siblings);
        (bool isFinal, bytes32 found, Output[] memory list) = market.result(id);
        assertFalse(isFinal, "not final yet");
        assertEq(found, claim, "claim");
        assertEq(keccak256(list[0].data), keccak256(firstBytes), "bytes");
        assertEq(list[0].root, leaves[0], "root");
    }

    function test_LargeOutputMayBeRevealedAsItsRoot() external {
        bytes memory model = bytes.concat(header(bytes32(uint256(3)), 1, 1, 0, 1), port(0, 8, 0, 5000));
        RequestSpec memory s = spec(registry.register(model, terms(), noSiblings(), noSiblings()));
        bytes32 id = market.request{value: s.fee}(s, new InputData[](0));
        assertEq(market.getRequest(id).start, bytes32(uint256(3)), "no inputs: the initial slots");
        bytes32 claim = keccak256("root of a large output");
        bytes32 commitment = commitmentOf(id, bob, claim);
        vm.prank(bob);
        market.commit{value: 1 ether}(id, commitment);
        pass(1);
        Output[] memory list = new Output[](1);
        list[0].root = claim;
        vm.prank(bob);
        market.reveal(id, claim, SALT, list, noSiblings());
        (,, list) = market.result(id);
        assertEq(list[0].root, claim, "root");
    }

    function test_MARKET_48_D6_C_CommitNeverRevealedIsWonByTheRequester() external {
        bytes32 id = opened();
        committed(id, bob);
        pass(100);
        vm.expectRevert(abi.encodeWithSelector(NotExpired.selector, time, time));
        market.forfeit(id);
        pass(1);
        bytes32 claim = claimOf();
        vm.prank(bob);
        vm.expectRevert(abi.encodeWithSelector(TooLate.selector, time, time - 1));
        market.reveal(id, claim, SALT, outputs(), noSiblings());
        market.forfeit(id);
        assertEq(market.credits(address(this)), 0.1 ether, "share to the requester");
        assertEq(market.burned(), 0.9 ether, "the rest is burned");
        assertEq(uint256(market.getRequest(id).status), uint256(RequestStatus.Open), "reopened");
    }

    // opML

    function test_opML_ResultCannotBeOverwritten() external {
        (bytes32 id, bytes32 submissionId) = standing();
        bytes32 claim = claimOf();
        vm.prank(bob);
        vm.expectRevert(abi.encodeWithSelector(WrongStatus.selector, RequestStatus.Revealed, RequestStatus.Committed));
        market.reveal(id, claim, SALT, outputs(), noSiblings());
        vm.prank(carol);
        vm.expectRevert(abi.encodeWithSelector(WrongStatus.selector, RequestStatus.Revealed, RequestStatus.Open));
        market.commit{value: 1 ether}(id, bytes32(uint256(3)));
        pass(600);
        market.finalize(id);
        vm.expectRevert(abi.encodeWithSelector(SubmissionNotRevealed.selector, submissionId));
        market.openDispute{value: 0.2 ether}(submissionId, bytes32(0));
    }

    function test_MARKET_60_opML_PaidTwiceByFinalizingAgain() external {
        (bytes32 id,) = standing();
        pass(600);
        market.finalize(id);
        assertEq(market.credits(bob), 1.5 ether, "stake and fee");
        vm.expectRevert(abi.encodeWithSelector(WrongStatus.selector, RequestStatus.Final, RequestStatus.Revealed));
        market.finalize(id);
        assertEq(market.credits(bob), 1.5 ether, "once");
    }

    // Finality

    function test_MARKET_59_C_NothingIsFinalBeforeThePeriodAndTheDisputesEnd() external {
        (bytes32 id,) = standing();
        pass(599);
        bytes32 disputeId = dispute(id, carol, 1);
        vm.expectRevert(abi.encodeWithSelector(NotExpired.selector, time, time));
        market.finalize(id);
        pass(1);
        vm.expectRevert(abi.encodeWithSelector(DisputesOpen.selector, 1));
        market.finalize(id);
        game.resolve(disputeId, false);
        market.finalize(id);
        (bool isFinal,, Output[] memory list) = market.result(id);
        assertTrue(isFinal, "final");
        assertEq(keccak256(list[1].data), keccak256(secondBytes), "readable");
    }

    function test_CallbackTellsWhatTheConsumerPins() external {
        Asker asker = new Asker(market);
        bytes32 id = asked(asker, 300_000);
        market.finalize(id);
        assertEq(asker.calls(), 1, "once");
        assertEq(asker.requestSeen(), id, "request");
        assertEq(asker.registrationSeen(), market.getRequest(id).registrationId, "registration");
        assertEq(asker.stakeSeen(), 1 ether, "stake");
        assertEq(asker.periodSeen(), 600, "period");
        assertTrue(asker.backedSeen(), "backed");
        assertEq(keccak256(asker.firstOutput()), keccak256(firstBytes), "output");
        assertEq(uint256(market.getRequest(id).callback), uint256(CallbackStatus.Delivered), "delivered");
    }

    function test_MARKET_61_FailedCallbackCanBeRetriedUntilDelivered() external {
        Asker asker = new Asker(market);
        bytes32 id = asked(asker, 300_000);
        asker.setFailing(true);
        market.finalize(id);
        assertEq(market.credits(bob), 1.5 ether, "a failing consumer does not hold up the submitter");
        market.retryCallback(id);
        assertEq(asker.calls(), 0, "still failing");
        asker.setFailing(false);
        market.retryCallback(id);
        assertEq(asker.calls(), 1, "delivered");
        vm.expectRevert(abi.encodeWithSelector(CallbackNotPending.selector, id));
        market.retryCallback(id);
    }

    function test_MARKET_61_NoCallbackToRetryWhereNoneWasAsked() external {
        (bytes32 id,) = standing();
        pass(600);
        market.finalize(id);
        vm.expectRevert(abi.encodeWithSelector(CallbackNotPending.selector, id));
        market.retryCallback(id);
    }

    function test_MARKET_62_D12_P8_CallbackIsNeverStarvedOfGas(uint256 given, uint32 asks) external {
        Asker asker = new Asker(market);
        uint32 callbackGas = uint32(bound(asks, 250_000, 1_000_000));
        bytes32 id = asked(asker, callbackGas);
        try market.finalize{gas: bound(given, 60_000, 1_500_000)}(id) {
            assertEq(asker.calls(), 1, "called");
            // What the consumer spends before it looks: dispatch and decoding.
            assertTrue(asker.gasSeen() + 3000 >= callbackGas, "the gas he asked for");
        } catch {
            assertEq(asker.calls(), 0, "or nothing happened");
            assertEq(uint256(market.getRequest(id).status), uint256(RequestStatus.Revealed), "not final");
        }
    }

    function test_MARKET_63_D12_ReturnedDataBomb() external {
        for (uint256 i = 0; i < 2; i++) {
            Bomb bomb = new Bomb(market, i == 1);
            RequestSpec memory s = spec(i == 0 ? register() : market.getRequest(requestOfBomb).registrationId);
            s.callback = address(bomb);
            s.callbackGas = 200_000;
            bytes32 id = bomb.ask{value: s.fee}(s, inputs());
            requestOfBomb = id;
            revealed(id, bob);
            pass(601);
            market.finalize{gas: 400_000}(id);
            assertEq(uint256(market.getRequest(id).status), uint256(RequestStatus.Final), "final");
        }
    }

    bytes32 private requestOfBomb;

    function test_MARKET_64_UnknownRequest() external {
        bytes memory unknown = abi.encodeWithSelector(UnknownRequest.selector, bytes32(uint256(1)));
        vm.expectRevert(unknown);
        market.commit(bytes32(uint256(1)), bytes32(0));
        vm.expectRevert(unknown);
        market.finalize(bytes32(uint256(1)));
        vm.expectRevert(unknown);
        market.latestEnd(bytes32(uint256(1)));
    }

    function test_MARKET_65_F_SubmissionIdNamesChainContractAndContent() external {
        bytes32 id = opened();
        bytes32 submissionId = committed(id, bob);
        bytes32 expected = keccak256(
            abi.encode(block.chainid, address(market), id, bob, commitmentOf(id, bob, claimOf()))
        );
        assertEq(submissionId, expected, "submission id");
    }

    function test_LatestEndBoundsEverySchedule() external {
        (bytes32 id,) = standing();
        // submission 200, reveal 100, period 600, two clocks of 300, one second; three rounds.
        assertEq(market.latestEnd(id), time + 3 * 1501, "first round");
        uint256 bound_ = market.latestEnd(id);
        for (uint256 i = 0; i < 3; i++) {
            pass(599);
            bytes32 disputeId = dispute(id, carol, i);
            pass(601);
            game.resolve(disputeId, true);
            if (i == 2) break;
            pass(200);
            vm.prank(bob);
            market.commit{value: 1 ether}(id, keccak256(abi.encodePacked(id, bob, claimOf(), bytes32(i))));
            pass(100);
            bytes32 claim = claimOf();
            vm.prank(bob);
            market.reveal(id, claim, bytes32(i), outputs(), noSiblings());
            pass(1);
        }
        assertEq(uint256(market.getRequest(id).status), uint256(RequestStatus.Refunded), "refunded");
        assertTrue(time <= bound_, "within the bound");
        assertEq(market.latestEnd(id), time, "nothing left to wait for");
    }
}
