// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {
    AlreadyOpened,
    ClockExpired,
    ClockRunning,
    NotTheMarket,
    NotYourTurn,
    SubmissionFallen,
    WrongIndex,
    WrongLength,
    WrongPhase,
    WrongRoot,
    WrongSender,
    WrongTerms,
    WrongTranscript,
    WrongWidth
} from "../src/GameErrors.sol";
import {Branch, Dispute, Interval, LeafOpening, NodeOpening, Phase} from "../src/GameTypes.sol";
import {Segments} from "../src/Segments.sol";
import {Terms} from "../src/Types.sol";
import {GameFixture} from "./GameFixture.sol";

/// Turns, clocks, transcripts and rounds of the dispute game. What is opened and proven: GameOpening.t.sol.
contract DisputeGameTest is GameFixture {
    bytes32 private constant HIGH = keccak256("claim of the challenger");

    function answerData(bytes32 id, Terms memory t, Interval memory p, bytes32[] memory posted, uint256 index)
        private
        view
        returns (bytes memory)
    {
        return abi.encodeCall(game.answer, (id, t, p, posted, index));
    }

    function positionHash(Phase in_, Interval memory p, bytes32 posted) private pure returns (bytes32) {
        return keccak256(abi.encode(in_, keccak256(abi.encode(p)), posted));
    }

    function timeOutData(bytes32 id, Terms memory t, Interval memory p, bytes32[] memory posted)
        private
        view
        returns (bytes memory)
    {
        bytes32 hash = posted.length == 0 ? bytes32(0) : keccak256(abi.encodePacked(posted));
        return abi.encodeCall(game.timeOut, (id, t, positionHash(Phase.Graph, p, hash)));
    }

    /// A dispute of one instruction that waits for its witness.
    function beforeArbitration(bytes32 leaf) private returns (bytes32 id, Terms memory t, Interval memory p) {
        Branch memory branch;
        (id, t, branch) = afterNode(leaf, none());
        LeafOpening memory opening = leafOpening(leaf, 0, 1, none());
        bytes32 previous = transcript(id);
        logs.recordLogs();
        play(CHALLENGER, abi.encodeCall(game.openLeaf, (id, t, branch, opening)));
        (bytes32 low,,,,) = abi.decode(logs.getRecordedLogs()[0].data, (bytes32, bytes32, uint64, bytes32[], uint40));
        p = Interval({previous: previous, lo: 0, hi: 1, low: low, high: keccak256(opening.finalState)});
    }

    // Opening

    function testGame1OnlyTheMarketOpensDisputes() public {
        Terms memory t = defaultTerms(10);
        refuse(CHALLENGER, abi.encodeCall(game.open, (SALT, t, SALT)), NotTheMarket.selector);
    }

    function testGame2IdIsOpenedOnceF() public {
        Terms memory t = defaultTerms(10);
        bytes32 id = open(t, HIGH, some(3, "a"));
        refuse(address(market), abi.encodeCall(game.open, (id, t, SALT)), AlreadyOpened.selector);
        vm.warp(START + 1001);
        bytes32 position = keccak256(abi.encode(Phase.Reveal, commitmentOf(t, HIGH, some(3, "a"))));
        play(address(this), abi.encodeCall(game.timeOut, (id, t, position)));
        requireResolved(id, false);
        refuse(address(market), abi.encodeCall(game.open, (id, t, SALT)), AlreadyOpened.selector);
    }

    function testGame3TermsInRangeD9() public {
        for (uint256 i = 0; i < 6; i++) {
            Terms memory t = defaultTerms(10);
            if (i == 0) t.steps = 0;
            if (i == 1) t.k = 1;
            if (i == 2) t.k = 33;
            if (i == 3) t.q = 0;
            if (i == 4) t.q = 9;
            if (i == 5) t.clock = 0;
            refuse(address(market), abi.encodeCall(game.open, (SALT, t, SALT)), WrongTerms.selector);
        }
    }

    // Phases and transcripts

    function testGame4MoveBelongsToItsPhaseG1G4() public {
        (bytes32 id, Terms memory t, Interval memory p) = beforeArbitration(keccak256("leaf"));
        bytes memory witness = abi.encode(p.low, p.high);
        requireOnlyArbitration(id, t, p);
        play(CHALLENGER, abi.encodeCall(game.arbitrate, (id, t, p, witness)));
        requireResolved(id, true);
        // Nothing moves after the end, and nothing is resolved twice.
        requireOnlyArbitration(id, t, p);
        refuse(CHALLENGER, abi.encodeCall(game.arbitrate, (id, t, p, witness)), WrongPhase.selector);
        refuse(CHALLENGER, abi.encodeCall(game.post, (id, t, p, none())), WrongPhase.selector);
        refuse(SUBMITTER, answerData(id, t, p, none(), 0), WrongPhase.selector);
        vm.warp(START + 5000);
        refuse(SUBMITTER, abi.encodeCall(game.timeOut, (id, t, SALT)), WrongPhase.selector);
        assertEq(market.verdicts(id), 1, "verdicts");
    }

    function requireOnlyArbitration(bytes32 id, Terms memory t, Interval memory p) private {
        Branch memory branch;
        NodeOpening memory node;
        LeafOpening memory leaf;
        bytes4 wrong = WrongPhase.selector;
        refuse(CHALLENGER, abi.encodeCall(game.reveal, (id, t, HIGH, none(), SALT)), wrong);
        refuse(CHALLENGER, abi.encodeCall(game.openNode, (id, t, p, node)), wrong);
        refuse(CHALLENGER, abi.encodeCall(game.openFinish, (id, t, p, SALT, none())), wrong);
        refuse(CHALLENGER, abi.encodeCall(game.postNodes, (id, t, branch, none())), wrong);
        refuse(SUBMITTER, abi.encodeCall(game.answerNodes, (id, t, branch, 0, SALT, none())), wrong);
        refuse(CHALLENGER, abi.encodeCall(game.openLeaf, (id, t, branch, leaf)), wrong);
    }

    function testGame4NoMoveBeforeTheOpening() public {
        Terms memory t = defaultTerms(10);
        refuse(CHALLENGER, abi.encodeCall(game.reveal, (SALT, t, HIGH, none(), SALT)), WrongPhase.selector);
        refuse(SUBMITTER, abi.encodeCall(game.timeOut, (SALT, t, SALT)), WrongPhase.selector);
    }

    /// Any changed field of the terms, the position or the posted hashes names another transcript.
    function testGame5MoveNamesItsTranscriptF(uint256 which) public {
        Terms memory t = defaultTerms(10);
        bytes32[] memory posted = some(3, "a");
        (bytes32 id, Interval memory p) = begin(t, HIGH, posted);
        which = bound(which, 0, 19);
        if (which == 0) t.registrationId = SALT;
        if (which == 1) t.submissionId = SALT;
        if (which == 2) t.submitter = CHALLENGER;
        if (which == 3) t.challenger = SUBMITTER;
        if (which == 4) t.start = SALT;
        if (which == 5) t.claim = SALT;
        if (which == 6) t.steps++;
        if (which == 7) t.finish = true;
        if (which == 8) t.k++;
        if (which == 9) t.q++;
        if (which == 10) t.clock++;
        if (which == 11) p.previous = SALT;
        if (which == 12) p.lo++;
        if (which == 13) p.hi++;
        if (which == 14) p.low = SALT;
        if (which == 15) p.high = SALT;
        if (which == 16) posted[2] = SALT;
        if (which == 17) posted = some(2, "a");
        if (which == 18) posted = some(4, "a");
        if (which == 19) posted = none();
        refuse(SUBMITTER, answerData(id, t, p, posted, 0), WrongTranscript.selector);
    }

    /// The same hashes on another branch of the history are another transcript: a move cannot be replayed or carried over.
    function testGame5SamePositionOnAnotherBranchFG9() public {
        Terms memory t = defaultTerms(100);
        bytes32[] memory posted = some(3, "a");
        (bytes32 id, Interval memory p) = begin(t, HIGH, posted);
        bytes memory first = answerData(id, t, p, posted, 1);
        play(SUBMITTER, first);
        refuse(SUBMITTER, first, WrongTranscript.selector);
        Interval memory next = Interval(keccak256("elsewhere"), 25, 50, posted[0], posted[1]);
        refuse(CHALLENGER, abi.encodeCall(game.post, (id, t, next, some(3, "b"))), WrongTranscript.selector);
    }

    // Fallen submissions, turns, clocks

    function testGame6NothingMovesAfterTheFallG11() public {
        Terms memory t = defaultTerms(10);
        bytes32[] memory posted = some(3, "a");
        (bytes32 other, Interval memory p) = begin(t, HIGH, posted);
        assertEq(game.challengerTransactions(other), 2, "transactions");
        (bytes32 id, Terms memory t1, Interval memory last) = beforeArbitration(keccak256("leaf"));
        play(CHALLENGER, abi.encodeCall(game.arbitrate, (id, t1, last, abi.encode(last.low, last.high))));
        requireResolved(id, true);
        refuse(SUBMITTER, answerData(other, t, p, posted, 0), SubmissionFallen.selector);
        vm.warp(START + 5000);
        refuse(CHALLENGER, timeOutData(other, t, p, posted), SubmissionFallen.selector);
        refuse(address(market), abi.encodeCall(game.open, (SALT, t, SALT)), SubmissionFallen.selector);
        assertEq(game.challengerTransactions(other), 2, "frozen transactions");
        assertEq(market.verdicts(other), 0, "verdicts");
        // Disputes of other submissions go on.
        t.submissionId = keccak256("another submission");
        (bytes32 third, Interval memory p3) = begin(t, HIGH, posted);
        play(SUBMITTER, answerData(third, t, p3, posted, 0));
    }

    function testGame7OnlyTheSideInTurnMovesG10() public {
        Terms memory t = defaultTerms(100);
        bytes32[] memory posted = some(3, "a");
        bytes32 id = open(t, HIGH, posted);
        Interval memory p = Interval(transcript(id), 0, 100, t.start, HIGH);
        bytes memory reveal = abi.encodeCall(game.reveal, (id, t, HIGH, posted, SALT));
        refuse(SUBMITTER, reveal, WrongSender.selector);
        refuse(address(this), reveal, WrongSender.selector);
        play(CHALLENGER, reveal);
        refuse(CHALLENGER, answerData(id, t, p, posted, 0), WrongSender.selector);
        refuse(address(this), answerData(id, t, p, posted, 0), WrongSender.selector);
        Interval memory next = Interval(transcript(id), 0, 25, t.start, posted[0]);
        play(SUBMITTER, answerData(id, t, p, posted, 0));
        refuse(SUBMITTER, abi.encodeCall(game.answer, (id, t, next, none(), 0)), WrongTranscript.selector);
        refuse(SUBMITTER, abi.encodeCall(game.post, (id, t, next, posted)), WrongSender.selector);
        play(CHALLENGER, abi.encodeCall(game.post, (id, t, next, posted)));
    }

    /// One account in both roles plays each in its turn only.
    function testGame7BothRolesInOneAccountG10() public {
        Terms memory t = defaultTerms(1);
        t.submitter = CHALLENGER;
        (bytes32 id, Interval memory p) = begin(t, HIGH, none());
        // The transcript has no posted hashes: no answer fits it.
        refuse(CHALLENGER, answerData(id, t, p, none(), 0), WrongTranscript.selector);
        Branch memory branch = Branch(transcript(id), 0, t.start, keccak256(descriptors[0]), 2, 0, SALT);
        descriptors[0] = descriptor(0, 2, 100, 1);
        publish();
        (id, t, branch) = afterNode(pair(pair(SALT, SALT), pair(SALT, SALT)), same(4));
        refuse(CHALLENGER, abi.encodeCall(game.postNodes, (id, t, branch, same(4))), NotYourTurn.selector);
    }

    function same(uint256 count) private pure returns (bytes32[] memory list) {
        list = new bytes32[](count);
        for (uint256 i = 0; i < count; i++) list[i] = SALT;
    }

    /// A move at the last second is legal; one second later only the time-out is.
    function testGame8And9ClockBoundariesC(uint32 clock, bool late) public {
        Terms memory t = defaultTerms(10);
        t.clock = clock == 0 ? 1 : clock;
        bytes32[] memory posted = some(3, "a");
        (bytes32 id, Interval memory p) = begin(t, HIGH, posted);
        vm.warp(START + t.clock + (late ? 1 : 0));
        if (late) {
            refuse(SUBMITTER, answerData(id, t, p, posted, 0), ClockExpired.selector);
            play(address(this), timeOutData(id, t, p, posted));
            requireResolved(id, true);
        } else {
            refuse(CHALLENGER, timeOutData(id, t, p, posted), ClockRunning.selector);
            play(SUBMITTER, answerData(id, t, p, posted, 0));
            Dispute memory d = game.disputeOf(id);
            assertEq(d.submitterLeft, 0, "submitter's clock");
            assertEq(d.challengerLeft, t.clock, "challenger's clock");
            assertEq(d.since, START + t.clock, "since");
        }
    }

    /// Each side has one total for the whole dispute, and the other's thinking does not touch it.
    function testGame8ClocksAreTotalsPerSideC() public {
        Terms memory t = defaultTerms(1000);
        bytes32[] memory posted = some(3, "a");
        bytes32 id = open(t, HIGH, posted);
        Interval memory p = Interval(transcript(id), 0, 1000, t.start, HIGH);
        vm.warp(START + 400);
        play(CHALLENGER, abi.encodeCall(game.reveal, (id, t, HIGH, posted, SALT)));
        vm.warp(START + 400 + 700);
        Interval memory next = Interval(transcript(id), 0, 250, t.start, posted[0]);
        play(SUBMITTER, answerData(id, t, p, posted, 0));
        Dispute memory d = game.disputeOf(id);
        assertEq(d.challengerLeft, 600, "challenger's clock");
        assertEq(d.submitterLeft, 300, "submitter's clock");
        vm.warp(START + 1100 + 600);
        refuse(SUBMITTER, timeOutData(id, t, next, none()), ClockRunning.selector);
        vm.warp(START + 1100 + 601);
        refuse(CHALLENGER, abi.encodeCall(game.post, (id, t, next, posted)), ClockExpired.selector);
        play(SUBMITTER, timeOutData(id, t, next, none()));
        requireResolved(id, false);
    }

    // The first move

    function testGame10FirstMoveIsThePreimageD19() public {
        Terms memory t = defaultTerms(10);
        bytes32[] memory posted = some(3, "a");
        bytes32 id = open(t, HIGH, posted);
        bytes4 wrong = WrongTranscript.selector;
        refuse(CHALLENGER, abi.encodeCall(game.reveal, (id, t, SALT, posted, SALT)), wrong);
        refuse(CHALLENGER, abi.encodeCall(game.reveal, (id, t, HIGH, some(3, "b"), SALT)), wrong);
        refuse(CHALLENGER, abi.encodeCall(game.reveal, (id, t, HIGH, some(2, "a"), SALT)), wrong);
        refuse(CHALLENGER, abi.encodeCall(game.reveal, (id, t, HIGH, posted, HIGH)), wrong);
        play(CHALLENGER, abi.encodeCall(game.reveal, (id, t, HIGH, posted, SALT)));
    }

    /// A commitment copied from the mempool opens for nobody but its author.
    function testGame10CopiedCommitmentD6() public {
        Terms memory t = defaultTerms(10);
        bytes32 commitment = commitmentOf(t, HIGH, some(3, "a"));
        t.challenger = address(0xBAD);
        market.open(SALT, t, commitment);
        bytes memory reveal = abi.encodeCall(game.reveal, (SALT, t, HIGH, some(3, "a"), SALT));
        refuse(address(0xBAD), reveal, WrongTranscript.selector);
    }

    function testGame11EqualClaimLosesD19() public {
        Terms memory t = defaultTerms(10);
        (bytes32 id,) = begin(t, t.claim, some(3, "a"));
        requireResolved(id, false);
    }

    // Rounds

    function testGame12NoRoundAtWidthOneG6() public {
        (bytes32 id, Terms memory t, Interval memory p) = beforeNode(SALT);
        refuse(CHALLENGER, abi.encodeCall(game.post, (id, t, p, none())), WrongWidth.selector);
        refuse(CHALLENGER, abi.encodeCall(game.post, (id, t, p, some(1, "a"))), WrongWidth.selector);
    }

    function testGame13AnswerNamesASegmentG6(uint256 index) public {
        Terms memory t = defaultTerms(10);
        bytes32[] memory posted = some(3, "a");
        (bytes32 id, Interval memory p) = begin(t, HIGH, posted);
        index = bound(index, 4, type(uint256).max - 4);
        refuse(SUBMITTER, answerData(id, t, p, posted, index), WrongIndex.selector);
        refuse(SUBMITTER, answerData(id, t, p, posted, type(uint256).max), WrongIndex.selector);
    }

    /// Whatever the width, k and the answers, the segments partition the interval and the game reaches width 1.
    function testGame34RoundsNarrowToOneStepG6(uint64 steps, uint8 k, uint256 choices) public {
        Terms memory t = defaultTerms(steps == 0 ? 1 : steps);
        t.k = uint8(bound(k, 2, 32));
        Interval memory p = Interval(0, 0, t.steps, t.start, HIGH);
        uint256 inner = Segments.count(0, t.steps, t.k) - 1;
        bytes32[] memory posted = some(inner, "first");
        bytes32 id = open(t, HIGH, posted);
        p.previous = transcript(id);
        play(CHALLENGER, abi.encodeCall(game.reveal, (id, t, HIGH, posted, SALT)));
        uint256 rounds;
        while (p.hi - p.lo > 1) {
            uint256 s = uint256(p.hi - p.lo) < t.k ? p.hi - p.lo : t.k;
            uint256 j = choices % s;
            choices = uint256(keccak256(abi.encode(choices)));
            Interval memory next = Interval({
                previous: transcript(id),
                lo: uint64(p.lo + (j * (p.hi - p.lo)) / s),
                hi: uint64(p.lo + ((j + 1) * uint256(p.hi - p.lo)) / s),
                low: j == 0 ? p.low : posted[j - 1],
                high: j == s - 1 ? p.high : posted[j]
            });
            play(SUBMITTER, answerData(id, t, p, posted, j));
            p = next;
            assertTrue(p.hi > p.lo && p.hi <= t.steps, "an empty segment");
            if (p.hi - p.lo == 1) break;
            s = uint256(p.hi - p.lo) < t.k ? p.hi - p.lo : t.k;
            posted = some(s - 1, "next");
            next = p;
            bytes32 previous = transcript(id);
            play(CHALLENGER, abi.encodeCall(game.post, (id, t, p, posted)));
            p.previous = previous;
            rounds++;
        }
        assertTrue(rounds <= 64, "too many rounds");
        // At width 1 it is the challenger's turn, on exactly this position.
        refuse(CHALLENGER, abi.encodeCall(game.post, (id, t, p, none())), WrongWidth.selector);
    }

    function testGame34RoundIsExactlyTheInnerEndsP1G6() public {
        Terms memory t = defaultTerms(3);
        bytes32 id = open(t, HIGH, some(3, "a"));
        refuse(CHALLENGER, abi.encodeCall(game.reveal, (id, t, HIGH, some(3, "a"), SALT)), WrongLength.selector);
        id = open(t, HIGH, some(1, "a"));
        refuse(CHALLENGER, abi.encodeCall(game.reveal, (id, t, HIGH, some(1, "a"), SALT)), WrongLength.selector);
        // Width below k: one hash per inner step.
        (id,) = begin(t, HIGH, some(2, "a"));
        // One step: none at all.
        t = defaultTerms(1);
        id = open(t, HIGH, some(1, "a"));
        refuse(CHALLENGER, abi.encodeCall(game.reveal, (id, t, HIGH, some(1, "a"), SALT)), WrongLength.selector);
    }

    function testGame29OnlyASingleStepIsOpenedG7() public {
        Terms memory t = defaultTerms(8);
        (bytes32 id, Interval memory p) = begin(t, HIGH, some(3, "a"));
        Interval memory next = Interval(transcript(id), 0, 2, t.start, some(1, "a")[0]);
        play(SUBMITTER, answerData(id, t, p, some(3, "a"), 0));
        refuse(CHALLENGER, abi.encodeCall(game.openNode, (id, t, next, nodeOpening(SALT, none()))), WrongWidth.selector);
        refuse(CHALLENGER, abi.encodeCall(game.openFinish, (id, t, next, SALT, none())), WrongWidth.selector);
    }

    // The phase tensor

    function testGame33RoundIsTheNodesBelowP4G6() public {
        bytes32[] memory all = some(8, "node");
        descriptors[0] = descriptor(0, 3, 100, 1);
        publish();
        bytes32[] memory first = new bytes32[](4);
        for (uint256 i = 0; i < 4; i++) first[i] = pair(all[2 * i], all[2 * i + 1]);
        (bytes32 id, Terms memory t, Interval memory before) = beforeNode(treeRoot(all));
        NodeOpening memory opening = nodeOpening(treeRoot(all), all);
        bytes memory data = abi.encodeCall(game.openNode, (id, t, before, opening));
        refuse(CHALLENGER, data, WrongLength.selector);
        opening.nodes = none();
        refuse(CHALLENGER, abi.encodeCall(game.openNode, (id, t, before, opening)), WrongLength.selector);
        opening.nodes = same(4);
        refuse(CHALLENGER, abi.encodeCall(game.openNode, (id, t, before, opening)), WrongRoot.selector);

        Branch memory p;
        (id, t, p) = afterNode(treeRoot(all), first);
        // A node that was not posted, a right node at a wrong place, a path too short: none is an answer.
        bytes32[] memory path = treePath(first, 2);
        refuse(SUBMITTER, abi.encodeCall(game.answerNodes, (id, t, p, 2, SALT, path)), WrongRoot.selector);
        refuse(SUBMITTER, abi.encodeCall(game.answerNodes, (id, t, p, 3, first[2], path)), WrongRoot.selector);
        bytes32[] memory short = new bytes32[](1);
        short[0] = pair(first[0], first[1]);
        bytes32 half = pair(first[2], first[3]);
        refuse(SUBMITTER, abi.encodeCall(game.answerNodes, (id, t, p, 1, half, short)), WrongLength.selector);
        // INVARIANT GAME-14
        refuse(SUBMITTER, abi.encodeCall(game.answerNodes, (id, t, p, 6, first[2], path)), WrongIndex.selector);
        Branch memory next = Branch(transcript(id), 0, p.state, p.descriptor, 1, 2, first[2]);
        play(SUBMITTER, abi.encodeCall(game.answerNodes, (id, t, p, 2, first[2], path)));

        // The last round has what is left: one level, two nodes.
        bytes32[] memory last = new bytes32[](2);
        refuse(CHALLENGER, abi.encodeCall(game.postNodes, (id, t, next, first)), WrongLength.selector);
        refuse(CHALLENGER, abi.encodeCall(game.postNodes, (id, t, next, last)), WrongRoot.selector);
        (last[0], last[1]) = (all[5], all[4]);
        refuse(CHALLENGER, abi.encodeCall(game.postNodes, (id, t, next, last)), WrongRoot.selector);
        (last[0], last[1]) = (all[4], all[5]);
        bytes32 previous = transcript(id);
        play(CHALLENGER, abi.encodeCall(game.postNodes, (id, t, next, last)));
        next.previous = previous;
        Branch memory leaf = Branch(transcript(id), 0, p.state, p.descriptor, 0, 5, all[5]);
        play(SUBMITTER, abi.encodeCall(game.answerNodes, (id, t, next, 1, all[5], treePath(last, 1))));
        assertEq(phase(id), uint256(Phase.Leaf), "phase");
        play(CHALLENGER, abi.encodeCall(game.openLeaf, (id, t, leaf, leafOpening(all[5], 0, 1, none()))));
    }

    function testGame14AnswerNamesANodeG6(uint256 index) public {
        bytes32[] memory nodes = some(4, "node");
        descriptors[0] = descriptor(0, 2, 100, 1);
        publish();
        (bytes32 id, Terms memory t, Branch memory p) = afterNode(treeRoot(nodes), nodes);
        index = bound(index, 4, type(uint256).max - 4);
        bytes memory data = abi.encodeCall(game.answerNodes, (id, t, p, index, nodes[index % 4], treePath(nodes, index % 4)));
        refuse(SUBMITTER, data, WrongIndex.selector);
    }

    /// The market hears of a won dispute when the submission has already fallen.
    function testGame35FallsBeforeTheMarketIsToldB() public {
        (bytes32 id, Terms memory t, Interval memory p) = beforeArbitration(keccak256("leaf"));
        play(SUBMITTER, abi.encodeCall(game.arbitrate, (id, t, p, abi.encode(p.low, p.high))));
        requireResolved(id, true);
        assertTrue(market.fallenWhenTold(id), "told before the fall");
        // The submitter's transaction is not counted as the challenger's.
        assertEq(game.challengerTransactions(id), 4, "transactions");
    }
}
