// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import "./MarketFixture.sol";

/// Plays every verb of the market in any order, honest or not, and keeps the books apart from the market's own.
contract MoneyHandler is MarketFixture {
    uint256 public paidIn;
    uint256 public withdrawn;
    uint256 public forced;
    uint256 public finals;
    uint256 public falls;
    bytes32[] internal requests;
    bytes32[] internal submissions;
    bytes32[] internal disputes;
    bytes32 internal registrationId;
    uint256 internal nonce;
    address[4] internal actors = [alice, bob, carol, address(0xdead1)];

    constructor() {
        setUp();
        vm.deal(actors[3], 1_000_000 ether);
        registrationId = register();
    }

    /// Once: the fuzzer calls every public function.
    function setUp() public override {
        if (address(market) == address(0)) super.setUp();
    }

    function someone(uint256 seed) internal view returns (address) {
        return actors[seed % 4];
    }

    function someRequest(uint256 seed, RequestStatus status) internal view returns (bytes32) {
        uint256 count = requests.length;
        for (uint256 i = 0; i < count; i++) {
            bytes32 id = requests[(seed % count + i) % count];
            if (market.getRequest(id).status == status) return id;
        }
        return bytes32(0);
    }

    function ask(uint256 seed, uint64 extraStake, uint64 fee) external {
        RequestSpec memory s = spec(registrationId);
        s.nonce = nonce++;
        s.stake = 1 ether + uint128(extraStake);
        s.fee = fee;
        vm.prank(someone(seed));
        requests.push(market.request{value: fee}(s, inputs()));
        paidIn += fee;
    }

    function submit(uint256 seed, bool reveals) external {
        bytes32 id = someRequest(seed, RequestStatus.Open);
        if (id == bytes32(0)) return;
        address submitter = someone(seed >> 8);
        Request memory r = market.getRequest(id);
        if (time > uint256(r.openedAt) + r.submitWindow) return;
        bytes32 salt = bytes32(nonce++);
        bytes32 commitment = keccak256(abi.encodePacked(id, submitter, claimOf(), salt));
        vm.prank(submitter);
        submissions.push(market.commit{value: r.stake}(id, commitment));
        paidIn += r.stake;
        if (!reveals) return;
        pass(1);
        bytes32 claim = claimOf();
        vm.prank(submitter);
        market.reveal(id, claim, salt, outputs(), noSiblings());
        pass(1);
    }

    /// Opens up to three disputes beside each other.
    function challenge(uint256 seed, uint16 transactions) external {
        bytes32 id = someRequest(seed, RequestStatus.Revealed);
        if (id == bytes32(0)) return;
        bytes32 submissionId = market.getRequest(id).submissionId;
        for (uint256 i = 0; i <= seed % 3; i++) {
            vm.prank(someone((seed >> 8) + i));
            bytes32 disputeId = market.openDispute{value: 0.2 ether}(submissionId, bytes32(nonce++));
            disputes.push(disputeId);
            paidIn += 0.2 ether;
            game.setTransactions(disputeId, transactions);
        }
    }

    /// An open dispute whose submission stands in `status`.
    function someDispute(uint256 seed, SubmissionStatus status) internal view returns (bytes32) {
        uint256 count = disputes.length;
        for (uint256 i = 0; i < count; i++) {
            bytes32 id = disputes[(seed % count + i) % count];
            Scripted memory d = game.disputeOf(id);
            if (!d.open) continue;
            if (market.getSubmission(d.submissionId).status == status) return id;
        }
        return bytes32(0);
    }

    function decide(uint256 seed, bool challengerWon) external {
        game.resolve(someDispute(seed, SubmissionStatus.Revealed), challengerWon);
        if (challengerWon) falls++;
    }

    function settle(uint256 seed) external {
        game.settle(someDispute(seed, SubmissionStatus.Fallen));
    }

    function end(uint256 seed, uint256 how) external {
        if (requests.length == 0) return;
        if (how % 3 == 0) {
            market.finalize(someRequest(seed, RequestStatus.Revealed));
            finals++;
        } else if (how % 3 == 1) {
            market.forfeit(someRequest(seed, RequestStatus.Committed));
        } else {
            market.refund(someRequest(seed, RequestStatus.Open));
        }
    }

    function pull(uint256 seed) external {
        address account = someone(seed);
        uint256 amount = market.credits(account);
        vm.prank(account);
        market.withdraw(account);
        withdrawn += amount;
    }

    function wait_(uint16 elapsed, uint64 baseFee) external {
        pass(elapsed % 700);
        chain.fee(baseFee);
    }

    function force(uint32 amount) external {
        vm.deal(address(market), address(market).balance + amount);
        forced += amount;
    }

    function balance() external view returns (uint256) {
        return address(market).balance;
    }

    function burned() external view returns (uint256) {
        return market.burned();
    }

    /// What the market must still hold for others, counted from its statuses alone.
    function held() external view returns (uint256 sum) {
        for (uint256 i = 0; i < 4; i++) sum += market.credits(actors[i]);
        for (uint256 i = 0; i < requests.length; i++) {
            Request memory r = market.getRequest(requests[i]);
            if (r.status != RequestStatus.Final && r.status != RequestStatus.Refunded) sum += r.fee;
        }
        for (uint256 i = 0; i < submissions.length; i++) {
            Submission memory s = market.getSubmission(submissions[i]);
            if (s.status == SubmissionStatus.Committed || s.status == SubmissionStatus.Revealed) {
                sum += market.getRequest(s.requestId).stake;
            }
        }
        for (uint256 i = 0; i < disputes.length; i++) {
            Scripted memory d = game.disputeOf(disputes[i]);
            if (!d.open) continue;
            sum += 0.2 ether;
            bool fallen = market.getSubmission(d.submissionId).status == SubmissionStatus.Fallen;
            if (fallen && d.index < COMPENSATED_DISPUTES) sum += 0.02 ether;
        }
    }
}

/// sum in = sum out + burned + held, after every sequence of calls.
contract MarketMoneyTest is Test {
    MoneyHandler internal handler;

    function setUp() external {
        handler = new MoneyHandler();
    }

    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(handler);
    }

    function invariant_B_SumInIsSumOutBurnedAndHeld() external view {
        assertEq(handler.paidIn(), handler.withdrawn() + handler.burned() + handler.held(), "conservation");
    }

    function invariant_B_ForcedEtherChangesNothing() external view {
        assertEq(handler.balance(), handler.burned() + handler.held() + handler.forced(), "balance");
    }

    /// The handler does reach what it is for: a fall with open disputes beside it, and a final result.
    function test_HandlerReachesFallsAndFinality() external {
        for (uint256 round = 0; round < 2; round++) {
            handler.ask(round, 5, 7);
            handler.submit(round, true);
            handler.challenge(5, 4);
            if (round == 0) {
                handler.decide(0, true);
                handler.settle(0);
                handler.submit(0, false);
                handler.wait_(650, 1 gwei);
                handler.end(0, 1);
            } else {
                for (uint256 i = 0; i < 3; i++) handler.decide(i, false);
                handler.wait_(650, 1 gwei);
                handler.end(0, 0);
            }
        }
        handler.pull(0);
        handler.force(9);
        assertEq(handler.finals(), 1, "finals");
        assertEq(handler.falls(), 1, "falls");
        assertEq(handler.paidIn(), handler.withdrawn() + handler.burned() + handler.held(), "conservation");
        assertEq(handler.balance(), handler.burned() + handler.held() + handler.forced(), "balance");
    }
}
