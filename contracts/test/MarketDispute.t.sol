// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import "./MarketFixture.sol";

/// Tries everything again from inside the callback.
contract Reentrant is Asker {
    uint256 public succeeded;

    constructor(Market market_) Asker(market_) {}

    receive() external payable {
        try market.withdraw(address(this)) {
            succeeded++;
        } catch {}
    }

    function onResult(bytes32 requestId, bytes32, uint256, uint256, bool, Output[] calldata) external override {
        try market.finalize(requestId) {
            succeeded++;
        } catch {}
        try market.retryCallback(requestId) {
            succeeded++;
        } catch {}
        try market.refund(requestId) {
            succeeded++;
        } catch {}
        calls++;
    }

    function pull() external {
        market.withdraw(address(this));
    }
}

/// A receiver without a way to receive.
contract Closed {
    function commit(Market market, bytes32 requestId, bytes32 commitment) external payable {
        market.commit{value: msg.value}(requestId, commitment);
    }

    function pull(Market market, address to) external {
        market.withdraw(to);
    }
}

/// Disputes and money: verdicts, shares, compensations, reopening and withdrawals, each rule by its number.
contract MarketDisputeTest is MarketFixture {
    // Disputes

    function test_MARKET_49_D19_C_DisputeOpensAfterTheRevealAndWithinThePeriod() external {
        bytes32 id = opened();
        bytes32 submissionId = committed(id, bob);
        vm.expectRevert(abi.encodeWithSelector(SubmissionNotRevealed.selector, submissionId));
        market.openDispute{value: 0.2 ether}(submissionId, bytes32(0));
        pass(1);
        bytes32 claim = claimOf();
        vm.prank(bob);
        market.reveal(id, claim, SALT, outputs(), noSiblings());
        vm.expectRevert(abi.encodeWithSelector(SameBlock.selector, number));
        market.openDispute{value: 0.2 ether}(submissionId, bytes32(0));
        pass(600);
        dispute(id, carol, 1);
        pass(1);
        vm.expectRevert(abi.encodeWithSelector(TooLate.selector, time, time - 1));
        market.openDispute{value: 0.2 ether}(submissionId, bytes32(0));
    }

    function test_MARKET_49_D6_PeriodCountsFromTheReveal() external {
        bytes32 id = opened();
        committed(id, bob);
        pass(100);
        bytes32 claim = claimOf();
        vm.prank(bob);
        market.reveal(id, claim, SALT, outputs(), noSiblings());
        pass(600);
        dispute(id, carol, 1);
    }

    function test_MARKET_50_D15_ObjectorsAreNotPricedOutByTheRequest() external {
        RequestSpec memory s = spec(register());
        s.stake = 1000 ether;
        bytes32 id = market.request{value: s.fee}(s, inputs());
        bytes32 submissionId = revealed(id, bob);
        pass(1);
        vm.expectRevert(abi.encodeWithSelector(WrongValue.selector, 1000 ether, 0.2 ether));
        market.openDispute{value: 1000 ether}(submissionId, bytes32(0));
        bytes32 disputeId = dispute(id, carol, 1);
        game.resolve(disputeId, true);
        assertEq(market.credits(carol), 0.3 ether, "stake and share");
        assertEq(market.burned(), 999.9 ether, "a larger stake burns more");
    }

    function test_MARKET_51_DisputeIdIsUsedOnce() external {
        (bytes32 id, bytes32 submissionId) = standing();
        bytes32 disputeId = dispute(id, carol, 1);
        vm.prank(carol);
        vm.expectRevert(abi.encodeWithSelector(AlreadyOpened.selector, disputeId));
        market.openDispute{value: 0.2 ether}(submissionId, bytes32(uint256(1)));
        assertTrue(dispute(id, alice, 1) != disputeId, "challenger is part of the id");
    }

    function test_MARKET_67_F_LateDisputeNeverHitsTheSubmissionThatTookThePlaceOfItsTarget() external {
        (bytes32 id, bytes32 lie) = standing();
        // Carol decides to dispute the lie, but alice is faster and the request is answered again.
        game.resolve(dispute(id, alice, 1), true);
        bytes32 truth = revealed(id, carol);
        pass(1);
        vm.expectRevert(abi.encodeWithSelector(SubmissionNotRevealed.selector, lie));
        vm.prank(carol);
        market.openDispute{value: 0.2 ether}(lie, bytes32(uint256(2)));
        assertEq(market.getSubmission(truth).disputes, 0, "the true answer is not disputed");
        vm.expectRevert(abi.encodeWithSelector(SubmissionNotRevealed.selector, bytes32(0)));
        market.openDispute{value: 0.2 ether}(bytes32(0), bytes32(uint256(2)));
    }

    function test_TermsOfADisputeAreThoseOfTheRequest() external {
        (bytes32 id, bytes32 submissionId) = standing();
        bytes32 disputeId = dispute(id, carol, 9);
        (
            bytes32 registrationId,
            bytes32 submission,
            address submitter,
            address challenger,
            bytes32 start,
            bytes32 claim,
            uint64 steps,
            bool finish,
            uint8 k,
            uint8 q,
            uint32 clock,
            uint32 index
        ) = game.last();
        assertEq(registrationId, market.getRequest(id).registrationId, "registration");
        assertEq(submission, submissionId, "submission");
        assertEq(submitter, bob, "submitter");
        assertEq(challenger, carol, "challenger");
        assertEq(start, market.getRequest(id).start, "S_0");
        assertEq(claim, claimOf(), "S_n");
        assertEq(steps, 13, "n");
        assertTrue(finish, "finish");
        assertEq(k, 16, "k");
        assertEq(q, 4, "q");
        assertEq(clock, 300, "clock");
        assertEq(index, 0, "order of opening");
        assertEq(game.disputeOf(disputeId).commitment, bytes32(uint256(9)), "commitment");
    }

    function test_MARKET_52_OnlyTheGameDecides() external {
        (bytes32 id, bytes32 submissionId) = standing();
        bytes32 disputeId = dispute(id, carol, 1);
        vm.prank(carol);
        vm.expectRevert(abi.encodeWithSelector(NotGame.selector, carol));
        market.disputeResolved(disputeId, submissionId, 0, carol, true);
        vm.prank(carol);
        vm.expectRevert(abi.encodeWithSelector(NotGame.selector, carol));
        market.disputeReturned(disputeId, submissionId, 0, carol, 1, 1);
    }

    function test_MARKET_53_G1_G4_ADisputeEndsOnceAndWithItsSubmission() external {
        (bytes32 id,) = standing();
        bytes32 first = dispute(id, carol, 1);
        bytes32 second = dispute(id, alice, 2);
        game.resolve(first, true);
        vm.expectRevert(abi.encodeWithSelector(DisputeNotOpen.selector, first));
        game.resolve(first, true);
        vm.expectRevert(abi.encodeWithSelector(DisputeNotOpen.selector, second));
        game.resolve(second, true);
        vm.expectRevert(abi.encodeWithSelector(DisputeNotOpen.selector, bytes32(0)));
        game.resolve(bytes32(0), false);
    }

    function test_MARKET_54_LosingChallengerBurnsHalf() external {
        (bytes32 id,) = standing();
        game.resolve(dispute(id, carol, 1), false);
        assertEq(market.credits(bob), 0.1 ether, "share to the submitter");
        assertEq(market.burned(), 0.1 ether, "the rest is burned");
        assertEq(market.credits(carol), 0, "nothing to the challenger");
    }

    function test_MARKET_55_D15_CompensationClaimedTwiceOrByTheFellingDispute() external {
        (bytes32 id, bytes32 submissionId) = standing();
        bytes32 felling = dispute(id, carol, 1);
        bytes32 other = dispute(id, alice, 2);
        bytes32 lost = dispute(id, alice, 3);
        vm.expectRevert(abi.encodeWithSelector(SubmissionNotFallen.selector, submissionId));
        game.settle(other);
        game.resolve(lost, false);
        game.resolve(felling, true);
        vm.expectRevert(abi.encodeWithSelector(DisputeNotOpen.selector, felling));
        game.settle(felling);
        vm.expectRevert(abi.encodeWithSelector(DisputeNotOpen.selector, lost));
        game.settle(lost);
        game.settle(other);
        vm.expectRevert(abi.encodeWithSelector(DisputeNotOpen.selector, other));
        game.settle(other);
    }

    function test_MARKET_56_D15_TheSeventeenthDisputeIsNotCompensated() external {
        (bytes32 id,) = standing();
        bytes32[] memory disputes = new bytes32[](18);
        for (uint256 i = 0; i < 18; i++) disputes[i] = dispute(id, address(uint160(0x1000 + i)) == bob ? carol : carol, i);
        for (uint256 i = 0; i < 18; i++) game.setTransactions(disputes[i], 3);
        game.setTransactions(disputes[5], type(uint16).max);
        game.resolve(disputes[17], true);
        uint256 before = market.credits(carol);
        // 3 transactions of 100,000 gas at 10 gwei.
        game.settle(disputes[0]);
        assertEq(market.credits(carol) - before, 0.203 ether, "stake and compensation");
        game.settle(disputes[5]);
        assertEq(market.credits(carol) - before, 0.423 ether, "never more than its reserve");
        game.settle(disputes[16]);
        assertEq(market.credits(carol) - before, 0.623 ether, "the seventeenth gets its stake");
        for (uint256 i = 1; i < 16; i++) if (i != 5) game.settle(disputes[i]);
        assertTrue(market.burned() >= 0.5 ether, "half is burned");
        assertEq(address(market).balance, market.burned() + market.credits(carol) + 0.5 ether, "conservation");
    }

    function test_MARKET_56_BaseFeeIsThatOfTheFall() external {
        (bytes32 id,) = standing();
        bytes32 felling = dispute(id, carol, 1);
        bytes32 other = dispute(id, alice, 2);
        game.resolve(felling, true);
        chain.fee(1000 gwei);
        game.settle(other);
        assertEq(market.credits(alice), 0.201 ether, "one transaction at 10 gwei");
    }

    function test_MARKET_57_D8_D15_LiarWhoDisputesHimselfLosesHalf() external {
        (bytes32 id,) = standing();
        uint256 paid = 1 ether;
        bytes32[] memory own = new bytes32[](16);
        for (uint256 i = 0; i < 16; i++) own[i] = dispute(id, bob, i);
        for (uint256 i = 0; i < 16; i++) game.setTransactions(own[i], 100);
        bytes32 honest = dispute(id, carol, 99);
        game.resolve(own[0], true);
        for (uint256 i = 1; i < 16; i++) game.settle(own[i]);
        uint256 gain = market.credits(bob) - 16 * 0.2 ether;
        assertTrue(paid - gain >= 0.5 ether, "he loses at least half of his stake");
        game.settle(honest);
        assertEq(market.credits(carol), 0.2 ether, "the honest one gets his stake back");
    }

    function test_MARKET_58_ReopenedAtMostSoOftenThenRefunded() external {
        (bytes32 id,) = standing();
        Request memory before = market.getRequest(id);
        game.resolve(dispute(id, carol, 1), true);
        for (uint256 i = 0; i < 2; i++) {
            Request memory r = market.getRequest(id);
            assertEq(uint256(r.status), uint256(RequestStatus.Open), "open again");
            assertEq(r.openedAt, time, "its window starts again");
            assertEq(r.steps, before.steps, "n is unchanged");
            assertEq(r.start, before.start, "S_0 is unchanged");
            assertTrue(r.finish, "the finish step is unchanged");
            vm.prank(bob);
            market.commit{value: 1 ether}(id, bytes32(i));
            pass(101);
            market.forfeit(id);
        }
        assertEq(uint256(market.getRequest(id).status), uint256(RequestStatus.Refunded), "refunded");
        assertEq(market.credits(address(this)), 0.7 ether, "fee and two shares");
        vm.expectRevert(abi.encodeWithSelector(WrongStatus.selector, RequestStatus.Refunded, RequestStatus.Open));
        market.commit{value: 1 ether}(id, bytes32(uint256(5)));
    }

    // Money

    function test_MARKET_19_B_ReentrantWithdrawalIsPaidOnce() external {
        Reentrant thief = new Reentrant(market);
        bytes32 id = asked(thief, 400_000);
        market.finalize(id);
        assertEq(thief.calls(), 1, "called once");
        assertEq(thief.succeeded(), 0, "nothing succeeded from inside the callback");
        // The thief as requester of a refund, withdrawing while it receives.
        RequestSpec memory s = spec(market.getRequest(id).registrationId);
        s.nonce = 1;
        id = thief.ask{value: s.fee}(s, inputs());
        pass(201);
        market.refund(id);
        uint256 held = address(market).balance;
        thief.pull();
        assertEq(thief.succeeded(), 0, "nothing succeeded while receiving");
        assertEq(held - address(market).balance, 0.5 ether, "paid once");
    }

    function test_MARKET_20_B_ReceiverThatRevertsLosesNothing() external {
        Closed closed = new Closed();
        bytes32 id = opened();
        closed.commit{value: 1 ether}(market, id, commitmentOf(id, address(closed), claimOf()));
        pass(1);
        bytes32 claim = claimOf();
        vm.prank(address(closed));
        market.reveal(id, claim, SALT, outputs(), noSiblings());
        pass(601);
        market.finalize(id);
        vm.expectRevert(abi.encodeWithSelector(WithdrawFailed.selector, address(closed)));
        closed.pull(market, address(closed));
        assertEq(market.credits(address(closed)), 1.5 ether, "credit stands");
        uint256 before = alice.balance;
        closed.pull(market, alice);
        assertEq(alice.balance - before, 1.5 ether, "sent elsewhere");
        vm.expectRevert(abi.encodeWithSelector(NothingToWithdraw.selector, address(closed)));
        closed.pull(market, alice);
    }

    function test_B_CreditIsNeverOverwrittenByAThirdParty() external {
        (bytes32 id,) = standing();
        game.resolve(dispute(id, carol, 1), false);
        pass(600);
        market.finalize(id);
        assertEq(market.credits(bob), 1.6 ether, "added up");
    }
}
