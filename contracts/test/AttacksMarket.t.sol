// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import "./MarketFixture.sol";

/// Attacks on requests, disputes and money that no single invariant names: docs/security.md, *Attacks and their tests*.
contract AttacksMarketTest is MarketFixture {
    // Parents and children

    /// A submission waits for every dispute over it, in whatever order they end.
    function test_G2_NothingIsFinalBeforeItsLastDispute(uint256 order) external {
        (bytes32 id, bytes32 submissionId) = standing();
        bytes32[] memory open = new bytes32[](5);
        for (uint256 i = 0; i < 5; i++) open[i] = dispute(id, carol, i);
        pass(601);
        for (uint256 left = 5; left > 0; left--) {
            vm.expectRevert(abi.encodeWithSelector(DisputesOpen.selector, left));
            market.finalize(id);
            uint256 chosen = order % left;
            order /= left;
            vm.expectRevert(abi.encodeWithSelector(SubmissionNotFallen.selector, submissionId));
            game.settle(open[chosen]);
            game.resolve(open[chosen], false);
            open[chosen] = open[left - 1];
        }
        market.finalize(id);
        assertEq(uint256(market.getRequest(id).status), uint256(RequestStatus.Final), "final");
    }

    /// Gas of the fall of a submission with this many disputes.
    function gasOfFall(uint256 count, uint256 nonce) private returns (uint256 used) {
        bytes32 id = another(nonce);
        bytes32 last;
        for (uint256 i = 0; i < count; i++) last = dispute(id, carol, i);
        uint256 before = gasleft();
        game.resolve(last, true);
        used = before - gasleft();
    }

    /// Gas of the last refusal of so many and of making the result final then.
    function gasOfFinality(uint256 count, uint256 nonce) private returns (uint256 used) {
        bytes32 id = another(nonce);
        bytes32[] memory open = new bytes32[](count);
        for (uint256 i = 0; i < count; i++) open[i] = dispute(id, carol, i);
        pass(601);
        for (uint256 i = 0; i + 1 < count; i++) game.resolve(open[i], false);
        uint256 before = gasleft();
        game.resolve(open[count - 1], false);
        market.finalize(id);
        used = before - gasleft();
    }

    bytes32 private registrationId;

    function another(uint256 nonce) private returns (bytes32 id) {
        if (registrationId == 0) registrationId = register();
        RequestSpec memory s = spec(registrationId);
        s.nonce = nonce;
        id = market.request{value: s.fee}(s, inputs());
        revealed(id, bob);
        pass(1);
    }

    /// Nothing is done once per dispute by anybody but who asks for his own.
    function test_G3_ManyDisputesMakeNoCallDearer() external {
        // The first of each warms up what all have in common.
        gasOfFall(2, 1);
        gasOfFinality(2, 2);
        uint256 few = gasOfFall(17, 3);
        uint256 many = gasOfFall(300, 4);
        assertTrue(many <= few + 2000, "the fall");
        few = gasOfFinality(17, 5);
        many = gasOfFinality(300, 6);
        assertTrue(many <= few + 2000, "finality");
    }

    /// Who plays both sides pays for it, whichever side he lets win.
    function test_G10_B_BothRolesInOneAccountAlwaysLose(bool challengerWins) external {
        (bytes32 id,) = standing();
        game.resolve(dispute(id, bob, 1), challengerWins);
        uint256 paid = 1.2 ether;
        if (!challengerWins) {
            pass(601);
            market.finalize(id);
            // The fee was earned by the result, not by the dispute.
            paid += 0.5 ether;
        }
        uint256 back = market.credits(bob);
        assertTrue(paid - back >= 0.1 ether, "half of the loser's stake is gone");
        assertEq(market.burned(), paid - back, "and burned");
    }

    // Inputs

    /// An upload is a fact about bytes: nobody can change, finish or take away another one's.
    function test_O2_UploadingAgainChangesNothing() external {
        bytes32 id = register();
        InputData[] memory list = inputs();
        list[0].source = InputSource.Chunks;
        list[0].chunkHeight = 2;
        list[0].roots = new bytes32[](1);
        list[0].roots[0] = registry.upload(inputBytes, 2);
        list[0].data = "";
        (bytes32 start,,) = registry.admit(spec(id), list);
        vm.prank(carol);
        assertEq(registry.upload(inputBytes, 2), list[0].roots[0], "the same root");
        bytes memory longer = bytes.concat(inputBytes, hex"00");
        vm.prank(carol);
        assertEq(registry.upload(longer, 2), list[0].roots[0], "one zero more, one root");
        (bytes32 again, bool backed,) = registry.admit(spec(id), list);
        assertEq(again, start, "S_0");
        assertTrue(backed, "backed");
        RequestSpec memory s = spec(id);
        bytes32 requestId = market.request{value: s.fee}(s, list);
        vm.expectRevert(abi.encodeWithSelector(RequestExists.selector, requestId));
        market.request{value: s.fee}(s, list);
    }

    /// Who consumes a result learns that nobody may know the input's bytes.
    function test_D2_ConsumerIsToldThatAnInputIsARootAlone() external {
        Asker asker = new Asker(market);
        RequestSpec memory s = spec(register());
        s.callback = address(asker);
        s.callbackGas = 300_000;
        InputData[] memory list = inputs();
        list[0].source = InputSource.Root;
        list[0].data = "";
        list[0].roots = new bytes32[](1);
        list[0].roots[0] = keccak256("no preimage");
        bytes32 id = asker.ask{value: s.fee}(s, list);
        revealed(id, bob);
        pass(601);
        market.finalize(id);
        assertEq(asker.calls(), 1, "called");
        assertFalse(asker.backedSeen(), "unbacked");
    }

    // Time

    /// Timers of records that do not exist, or that belong to another status, end nothing.
    function test_O3_TimersThatWereNeverSetEndNothing() external {
        pass(1000 days);
        bytes32 unknown = keccak256("unknown");
        vm.expectRevert(abi.encodeWithSelector(UnknownRequest.selector, unknown));
        market.refund(unknown);
        vm.expectRevert(abi.encodeWithSelector(UnknownRequest.selector, unknown));
        market.forfeit(unknown);
        vm.expectRevert(abi.encodeWithSelector(UnknownRequest.selector, unknown));
        market.finalize(unknown);
        vm.expectRevert(abi.encodeWithSelector(DisputeNotOpen.selector, unknown));
        game.settle(unknown);
        // No submission yet: its times are zero.
        bytes32 id = opened();
        refusesStatus(id, market.forfeit, RequestStatus.Open, RequestStatus.Committed);
        refusesStatus(id, market.finalize, RequestStatus.Open, RequestStatus.Revealed);
        // Committed long ago, never revealed: no period has begun.
        committed(id, bob);
        pass(1000 days);
        refusesStatus(id, market.finalize, RequestStatus.Committed, RequestStatus.Revealed);
        refusesStatus(id, market.refund, RequestStatus.Committed, RequestStatus.Open);
        // Open again: nothing of the lost submission's times is left.
        market.forfeit(id);
        refusesStatus(id, market.forfeit, RequestStatus.Open, RequestStatus.Committed);
        vm.expectRevert(abi.encodeWithSelector(NotExpired.selector, time, time + 200));
        market.refund(id);
    }

    function refusesStatus(
        bytes32 id,
        function(bytes32) external verb,
        RequestStatus found,
        RequestStatus expected
    ) private {
        vm.expectRevert(abi.encodeWithSelector(WrongStatus.selector, found, expected));
        verb(id);
    }

    /// At every second either the move or what ends its window is legal, never both and never neither.
    function test_C_AtEverySecondOneOfTwoIsLegal(uint256 elapsed, bool edge) external {
        elapsed = edge ? bound(elapsed, 0, 2) : bound(elapsed, 0, 2000);
        bytes32 id = opened();
        uint256 after_ = edge ? 199 + elapsed : elapsed;
        pass(after_);
        bytes32 commitment = commitmentOf(id, bob, claimOf());
        if (after_ > 200) {
            vm.expectRevert(abi.encodeWithSelector(TooLate.selector, time, time - after_ + 200));
            market.commit{value: 1 ether}(id, commitment);
            market.refund(id);
            return;
        }
        vm.expectRevert(abi.encodeWithSelector(NotExpired.selector, time, time - after_ + 200));
        market.refund(id);
        committed(id, bob);
        after_ = edge ? 99 + elapsed : elapsed;
        pass(after_);
        bytes32 claim = claimOf();
        if (after_ > 100) {
            vm.prank(bob);
            vm.expectRevert(abi.encodeWithSelector(TooLate.selector, time, time - after_ + 100));
            market.reveal(id, claim, SALT, outputs(), noSiblings());
            market.forfeit(id);
            return;
        }
        vm.expectRevert(abi.encodeWithSelector(NotExpired.selector, time, time - after_ + 100));
        market.forfeit(id);
        vm.prank(bob);
        market.reveal(id, claim, SALT, outputs(), noSiblings());
        after_ = edge ? 599 + elapsed : elapsed;
        pass(after_);
        if (after_ > 600) {
            market.finalize(id);
        } else {
            vm.expectRevert(abi.encodeWithSelector(NotExpired.selector, time, time - after_ + 600));
            market.finalize(id);
            dispute(id, carol, 1);
        }
    }

    // Money

    /// Verbs that anybody may send pay whom they name: whoever copies one from the mempool only pays its gas.
    function test_B_CopiedTransactionsEarnNothing() external {
        bytes32 id = opened();
        registrationId = market.getRequest(id).registrationId;
        committed(id, bob);
        pass(101);
        vm.prank(alice);
        market.forfeit(id);
        assertEq(market.credits(address(this)), 0.1 ether, "the requester's share");
        bytes32 commitment = keccak256(abi.encodePacked(id, bob, claimOf(), bytes32(uint256(8))));
        vm.prank(bob);
        market.commit{value: 1 ether}(id, commitment);
        pass(1);
        bytes32 claim = claimOf();
        vm.prank(bob);
        market.reveal(id, claim, bytes32(uint256(8)), outputs(), noSiblings());
        pass(1);
        bytes32 felling = dispute(id, carol, 1);
        bytes32 other = dispute(id, carol, 2);
        game.resolve(felling, true);
        uint256 before = market.credits(carol);
        vm.prank(alice);
        game.settle(other);
        assertTrue(market.credits(carol) > before, "the challenger's stake");
        pass(201);
        vm.prank(alice);
        market.refund(id);
        assertEq(market.credits(address(this)), 0.6 ether, "the requester's fee");
        id = another(99);
        pass(601);
        vm.prank(alice);
        market.finalize(id);
        assertEq(market.credits(bob), 1.5 ether, "the submitter's stake and fee");
        assertEq(market.credits(alice), 0, "nothing to the copier");
        vm.prank(alice);
        vm.expectRevert(abi.encodeWithSelector(NothingToWithdraw.selector, alice));
        market.withdraw(alice);
    }

    // Calldata

    /// Bytes after the arguments are nobody's content, and missing ones are no zeros.
    function test_F_LongOrShortCalldataCreatesNothingNew(uint8 count) external {
        RequestSpec memory s = spec(register());
        bytes memory data = abi.encodeCall(market.request, (s, inputs()));
        (bool done, bytes memory answer) = address(market).call{value: s.fee}(data);
        assertTrue(done, "the request itself");
        bytes32 id = abi.decode(answer, (bytes32));
        bytes memory more = new bytes(uint256(count) + 1);
        (done, answer) = address(market).call{value: s.fee}(bytes.concat(data, more));
        assertFalse(done, "longer data made another request");
        assertEq(keccak256(answer), keccak256(abi.encodeWithSelector(RequestExists.selector, id)), "error");
        s.nonce = 1;
        data = abi.encodeCall(market.request, (s, inputs()));
        // The input's 100 bytes end with 28 of padding, which no decoder needs.
        uint256 cut = data.length - 29 - bound(count, 0, 200);
        assembly ("memory-safe") {
            mstore(data, cut)
        }
        (done,) = address(market).call{value: s.fee}(data);
        assertFalse(done, "shorter data made a request");
    }
}
