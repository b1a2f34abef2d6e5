// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {
    AlreadyOpened,
    ClockExpired,
    ClockRunning,
    NotTheMarket,
    NotYourTurn,
    SubmissionFallen,
    SubmissionStands,
    WrongIndex,
    WrongLength,
    WrongPhase,
    WrongRoot,
    WrongSender,
    WrongTerms,
    WrongTranscript,
    WrongWidth
} from "../src/GameErrors.sol";
import {Head, LeafOpening, NodeOpening, Round} from "../src/GameTypes.sol";
import {Phase, Turn} from "../src/Turn.sol";
import {Segments} from "../src/Segments.sol";
import {Terms} from "../src/Types.sol";
import {Clocks, GameFixture, Span, Spot} from "./GameFixture.sol";

/// Turns, clocks, transcripts and rounds of the dispute game. What is opened and proven: GameOpening.t.sol.
contract DisputeGameTest is GameFixture {
    bytes32 private constant HIGH = keccak256("claim of the challenger");

    function answerData(bytes32 id, Terms memory t, Span memory p, bytes32[] memory posted, uint256 index)
        private
        view
        returns (bytes memory)
    {
        return encodeAnswer(id, t, p, posted, index);
    }

    function timeOutData(bytes32 id, Terms memory t, Span memory p, bytes32[] memory posted)
        private
        view
        returns (bytes memory)
    {
        return encodeTimeOut(id, t, positionOf(id, t, p, posted));
    }

    /// A dispute of one instruction that waits for its witness.
    function beforeArbitration(bytes32 leaf) private returns (bytes32 id, Terms memory t, Span memory p) {
        Spot memory branch;
        (id, t, branch) = afterNode(leaf, none());
        LeafOpening memory opening = leafOpening(leaf, 0, 1, none());
        bytes32 previous = transcript(id);
        play(CHALLENGER, encodeOpenLeaf(id, t, branch, opening));
        (, bytes32 low,,,) = abi.decode(lastData, (uint256, bytes32, bytes32, uint64, bytes32[]));
        p = Span({previous: previous, lo: 0, hi: 1, low: low, high: keccak256(opening.finalState)});
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
        bytes32 position = revealPosition(t, commitmentOf(t, HIGH, some(3, "a")));
        play(address(this), encodeTimeOut(id, t, position));
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
        (bytes32 id, Terms memory t, Span memory p) = beforeArbitration(keccak256("leaf"));
        bytes memory witness = abi.encode(p.low, p.high);
        requireOnlyArbitration(id, t, p);
        play(CHALLENGER, encodeArbitrate(id, t, p, witness));
        requireResolved(id, true);
        // Nothing moves after the end, and nothing is resolved twice.
        requireOnlyArbitration(id, t, p);
        refuse(CHALLENGER, encodeArbitrate(id, t, p, witness), WrongPhase.selector);
        refuse(CHALLENGER, encodePost(id, t, p, none()), WrongPhase.selector);
        refuse(SUBMITTER, answerData(id, t, p, none(), 0), WrongPhase.selector);
        vm.warp(START + 5000);
        refuse(SUBMITTER, encodeTimeOut(id, t, SALT), WrongPhase.selector);
        assertEq(market.verdicts(id), 1, "verdicts");
    }

    function requireOnlyArbitration(bytes32 id, Terms memory t, Span memory p) private {
        Spot memory branch;
        NodeOpening memory node;
        LeafOpening memory leaf;
        bytes4 wrong = WrongPhase.selector;
        refuse(CHALLENGER, encodeReveal(id, t, HIGH, none(), SALT), wrong);
        refuse(CHALLENGER, encodeOpenNode(id, t, p, node), wrong);
        refuse(CHALLENGER, encodeOpenFinish(id, t, p, SALT, none()), wrong);
        refuse(CHALLENGER, encodePostNodes(id, t, branch, none()), wrong);
        refuse(SUBMITTER, encodeAnswerNodes(id, t, branch, 0, SALT, none()), wrong);
        refuse(CHALLENGER, encodeOpenLeaf(id, t, branch, leaf), wrong);
    }

    function testGame4NoMoveBeforeTheOpening() public {
        Terms memory t = defaultTerms(10);
        refuse(CHALLENGER, encodeReveal(SALT, t, HIGH, none(), SALT), WrongPhase.selector);
        refuse(SUBMITTER, encodeTimeOut(SALT, t, SALT), WrongPhase.selector);
    }

    /// Any changed field of the head, the position or the posted hashes names another transcript.
    function testGame5MoveNamesItsTranscriptF(uint256 which) public {
        Terms memory t = defaultTerms(10);
        bytes32[] memory posted = some(3, "a");
        (bytes32 id, Span memory p) = begin(t, HIGH, posted);
        which = bound(which, 0, 17);
        if (which == 0) t.registrationId = SALT;
        if (which == 1) t.submissionId = SALT;
        if (which == 2) t.submitter = CHALLENGER;
        if (which == 3) t.challenger = SUBMITTER;
        if (which == 4) t.index++;
        if (which == 5) t.steps++;
        if (which == 6) t.finish = true;
        if (which == 7) t.k++;
        if (which == 8) t.q++;
        if (which == 9) p.previous = SALT;
        if (which == 10) p.lo++;
        if (which == 11) p.hi++;
        if (which == 12) p.low = SALT;
        if (which == 13) p.high = SALT;
        if (which == 14) posted[2] = SALT;
        if (which == 15) posted = some(2, "a");
        if (which == 16) posted = some(4, "a");
        if (which == 17) posted = none();
        refuse(SUBMITTER, answerData(id, t, p, posted, 0), WrongTranscript.selector);
    }

    /// The first move names all of the terms that later ones derive from.
    function testGame5FirstMoveNamesTheTermsF(uint256 which) public {
        Terms memory t = defaultTerms(10);
        bytes32[] memory posted = some(3, "a");
        bytes32 id = open(t, HIGH, posted);
        which = bound(which, 0, 4);
        if (which == 0) t.registrationId = SALT;
        if (which == 1) t.start = SALT;
        if (which == 2) t.claim = SALT;
        if (which == 3) t.steps++;
        if (which == 4) t.finish = true;
        refuse(CHALLENGER, encodeReveal(id, t, HIGH, posted, SALT), WrongTranscript.selector);
    }

    /// No bit of a turn's word can be changed: neither clocks nor phase, turn, widths or counts.
    function testGame5TurnIsThatOfTheTranscriptF(uint256 bit) public {
        Terms memory t = defaultTerms(10);
        bytes32[] memory posted = some(3, "a");
        (bytes32 id, Span memory p) = begin(t, HIGH, posted);
        Head memory head = headOf(id, t);
        head.turn = Turn.wrap(Turn.unwrap(head.turn) ^ 1 << (bit & 255));
        bytes32 position = positionOf(id, t, p, posted);
        refuse(SUBMITTER, abi.encodeCall(game.timeOut, (id, head, position)), WrongTranscript.selector);
    }

    /// The same hashes on another branch of the history are another transcript: a move cannot be replayed or carried over.
    function testGame5SamePositionOnAnotherBranchFG9() public {
        Terms memory t = defaultTerms(100);
        bytes32[] memory posted = some(3, "a");
        (bytes32 id, Span memory p) = begin(t, HIGH, posted);
        bytes memory first = answerData(id, t, p, posted, 1);
        play(SUBMITTER, first);
        refuse(SUBMITTER, first, WrongTranscript.selector);
        Span memory next = Span(keccak256("elsewhere"), 25, 50, posted[0], posted[1]);
        refuse(CHALLENGER, encodePost(id, t, next, some(3, "b")), WrongTranscript.selector);
    }

    // Fallen submissions, turns, clocks

    function testGame6NothingMovesAfterTheFallG11() public {
        Terms memory t = defaultTerms(10);
        bytes32[] memory posted = some(3, "a");
        (bytes32 other, Span memory p) = begin(t, HIGH, posted);
        assertEq(disputeOf(other).transactions, 2, "transactions");
        (bytes32 id, Terms memory t1, Span memory last) = beforeArbitration(keccak256("leaf"));
        play(CHALLENGER, encodeArbitrate(id, t1, last, abi.encode(last.low, last.high)));
        requireResolved(id, true);
        refuse(SUBMITTER, answerData(other, t, p, posted, 0), SubmissionFallen.selector);
        vm.warp(START + 5000);
        refuse(CHALLENGER, timeOutData(other, t, p, posted), SubmissionFallen.selector);
        refuse(address(market), abi.encodeCall(game.open, (SALT, t, SALT)), SubmissionFallen.selector);
        assertEq(market.verdicts(other), 0, "verdicts");
        // Disputes of other submissions go on.
        t.submissionId = keccak256("another submission");
        (bytes32 third, Span memory p3) = begin(t, HIGH, posted);
        play(SUBMITTER, answerData(third, t, p3, posted, 0));
    }

    /// A dispute that was going on when another one won is returned once, with what its challenger had sent by then.
    function testGame36OvertakenDisputeIsReturnedOnceD15() public {
        Terms memory t = defaultTerms(10);
        t.index = 3;
        bytes32[] memory posted = some(3, "a");
        (bytes32 other, Span memory p) = begin(t, HIGH, posted);
        bytes memory data = encodeSettle(other, t, positionOf(other, t, p, posted));
        refuse(CHALLENGER, data, SubmissionStands.selector);
        (bytes32 id, Terms memory t1, Span memory last) = beforeArbitration(keccak256("leaf"));
        play(CHALLENGER, encodeArbitrate(id, t1, last, abi.encode(last.low, last.high)));
        refuse(CHALLENGER, encodeSettle(id, t1, positionOf(id, t1, last, none())), WrongPhase.selector);
        refuse(CHALLENGER, encodeSettle(other, t, SALT), WrongTranscript.selector);
        refuse(CHALLENGER, encodeSettle(SALT, t, SALT), WrongPhase.selector);
        vm.warp(START + 5000);
        play(address(this), data);
        assertEq(market.returns_(other), 1, "returned");
        assertEq(market.transactionsTold(), 2, "transactions");
        assertEq(market.baseFeeTold(), block.basefee, "base fee of the fall");
        assertEq(market.indexTold(other), 3, "order of opening");
        assertEq(market.challengerTold(other), CHALLENGER, "challenger");
        assertEq(market.verdicts(other), 0, "no verdict");
        refuse(address(this), data, WrongPhase.selector);
        refuse(address(market), abi.encodeCall(game.open, (other, t, SALT)), AlreadyOpened.selector);
    }

    function testGame7OnlyTheSideInTurnMovesG10() public {
        Terms memory t = defaultTerms(100);
        bytes32[] memory posted = some(3, "a");
        bytes32 id = open(t, HIGH, posted);
        Span memory p = Span(transcript(id), 0, 100, t.start, HIGH);
        bytes memory reveal = encodeReveal(id, t, HIGH, posted, SALT);
        refuse(SUBMITTER, reveal, WrongSender.selector);
        refuse(address(this), reveal, WrongSender.selector);
        play(CHALLENGER, reveal);
        refuse(CHALLENGER, answerData(id, t, p, posted, 0), WrongSender.selector);
        refuse(address(this), answerData(id, t, p, posted, 0), WrongSender.selector);
        Span memory next = Span(transcript(id), 0, 25, t.start, posted[0]);
        play(SUBMITTER, answerData(id, t, p, posted, 0));
        refuse(SUBMITTER, encodeAnswer(id, t, next, none(), 0), WrongTranscript.selector);
        refuse(SUBMITTER, encodePost(id, t, next, posted), WrongSender.selector);
        play(CHALLENGER, encodePost(id, t, next, posted));
    }

    /// One account in both roles plays each in its turn only.
    function testGame7BothRolesInOneAccountG10() public {
        Terms memory t = defaultTerms(1);
        t.submitter = CHALLENGER;
        (bytes32 id, Span memory p) = begin(t, HIGH, none());
        // The transcript has no posted hashes: no answer fits it.
        refuse(CHALLENGER, answerData(id, t, p, none(), 0), WrongTranscript.selector);
        Spot memory branch = Spot(transcript(id), 0, t.start, keccak256(descriptors[0]), 2, 0, SALT);
        descriptors[0] = descriptor(0, 2, 100, 1);
        publish();
        (id, t, branch) = afterNode(pair(pair(SALT, SALT), pair(SALT, SALT)), same(4));
        refuse(CHALLENGER, encodePostNodes(id, t, branch, same(4)), NotYourTurn.selector);
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
        (bytes32 id, Span memory p) = begin(t, HIGH, posted);
        vm.warp(START + t.clock + (late ? 1 : 0));
        if (late) {
            refuse(SUBMITTER, answerData(id, t, p, posted, 0), ClockExpired.selector);
            play(address(this), timeOutData(id, t, p, posted));
            requireResolved(id, true);
        } else {
            refuse(CHALLENGER, timeOutData(id, t, p, posted), ClockRunning.selector);
            play(SUBMITTER, answerData(id, t, p, posted, 0));
            Clocks memory d = disputeOf(id);
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
        Span memory p = Span(transcript(id), 0, 1000, t.start, HIGH);
        vm.warp(START + 400);
        play(CHALLENGER, encodeReveal(id, t, HIGH, posted, SALT));
        vm.warp(START + 400 + 700);
        Span memory next = Span(transcript(id), 0, 250, t.start, posted[0]);
        play(SUBMITTER, answerData(id, t, p, posted, 0));
        Clocks memory d = disputeOf(id);
        assertEq(d.challengerLeft, 600, "challenger's clock");
        assertEq(d.submitterLeft, 300, "submitter's clock");
        vm.warp(START + 1100 + 600);
        refuse(SUBMITTER, timeOutData(id, t, next, none()), ClockRunning.selector);
        vm.warp(START + 1100 + 601);
        refuse(CHALLENGER, encodePost(id, t, next, posted), ClockExpired.selector);
        play(SUBMITTER, timeOutData(id, t, next, none()));
        requireResolved(id, false);
    }

    // The first move

    function testGame10FirstMoveIsThePreimageD19() public {
        Terms memory t = defaultTerms(10);
        bytes32[] memory posted = some(3, "a");
        bytes32 id = open(t, HIGH, posted);
        bytes4 wrong = WrongTranscript.selector;
        refuse(CHALLENGER, encodeReveal(id, t, SALT, posted, SALT), wrong);
        refuse(CHALLENGER, encodeReveal(id, t, HIGH, some(3, "b"), SALT), wrong);
        refuse(CHALLENGER, encodeReveal(id, t, HIGH, some(2, "a"), SALT), wrong);
        refuse(CHALLENGER, encodeReveal(id, t, HIGH, posted, HIGH), wrong);
        play(CHALLENGER, encodeReveal(id, t, HIGH, posted, SALT));
    }

    /// A commitment copied from the mempool opens for nobody but its author.
    function testGame10CopiedCommitmentD6() public {
        Terms memory t = defaultTerms(10);
        bytes32 commitment = commitmentOf(t, HIGH, some(3, "a"));
        t.challenger = address(0xBAD);
        openAs(SALT, t, commitment);
        bytes memory reveal = encodeReveal(SALT, t, HIGH, some(3, "a"), SALT);
        refuse(address(0xBAD), reveal, WrongTranscript.selector);
    }

    function testGame11EqualClaimLosesD19() public {
        Terms memory t = defaultTerms(10);
        (bytes32 id,) = begin(t, t.claim, some(3, "a"));
        requireResolved(id, false);
    }

    // Rounds

    function testGame12NoRoundAtWidthOneG6() public {
        (bytes32 id, Terms memory t, Span memory p) = beforeNode(SALT);
        refuse(CHALLENGER, encodePost(id, t, p, none()), WrongWidth.selector);
        refuse(CHALLENGER, encodePost(id, t, p, some(1, "a")), WrongWidth.selector);
    }

    function testGame13AnswerNamesASegmentG6(uint256 index) public {
        Terms memory t = defaultTerms(10);
        bytes32[] memory posted = some(3, "a");
        (bytes32 id, Span memory p) = begin(t, HIGH, posted);
        index = bound(index, 4, type(uint256).max - 4);
        refuse(SUBMITTER, answerData(id, t, p, posted, index), WrongIndex.selector);
        refuse(SUBMITTER, answerData(id, t, p, posted, type(uint256).max), WrongIndex.selector);
    }

    /// The hashes at the ends of the chosen segment are those that were posted there.
    function testGame13AnswerProvesItsSegmentP4G6(uint256 bit) public {
        Terms memory t = defaultTerms(10);
        bytes32[] memory posted = some(3, "a");
        (bytes32 id, Span memory p) = begin(t, HIGH, posted);
        bytes32 flip = bytes32(1 << (bit & 255));
        Round memory round = roundOf(id, t, p, posted);
        Head memory head = headOf(id, t);
        bytes32[] memory path = treePath(segments(p, posted), 1);
        bytes4 wrong = WrongRoot.selector;
        refuse(SUBMITTER, abi.encodeCall(game.answer, (id, head, round, 1, posted[0] ^ flip, posted[1], path)), wrong);
        refuse(SUBMITTER, abi.encodeCall(game.answer, (id, head, round, 1, posted[0], posted[1] ^ flip, path)), wrong);
        // A true pair at another place, and ends that are no neighbours.
        refuse(SUBMITTER, abi.encodeCall(game.answer, (id, head, round, 2, posted[0], posted[1], path)), wrong);
        refuse(SUBMITTER, abi.encodeCall(game.answer, (id, head, round, 1, posted[0], posted[2], path)), wrong);
        path[1] ^= flip;
        refuse(SUBMITTER, abi.encodeCall(game.answer, (id, head, round, 1, posted[0], posted[1], path)), wrong);
        path[1] ^= flip;
        // One level up, a pair of leaves is no pair of hashes: the depth is that of the round.
        bytes32[] memory leaves = segments(p, posted);
        bytes32[] memory short = new bytes32[](1);
        short[0] = pair(leaves[2], leaves[3]);
        bytes memory data = abi.encodeCall(game.answer, (id, head, round, 0, leaves[0], leaves[1], short));
        refuse(SUBMITTER, data, WrongLength.selector);
        play(SUBMITTER, abi.encodeCall(game.answer, (id, head, round, 1, posted[0], posted[1], path)));
    }

    /// The padding of a round whose segments are no power of two is no segment.
    function testGame13PaddingIsNoSegmentG6() public {
        Terms memory t = defaultTerms(3);
        bytes32[] memory posted = some(2, "a");
        (bytes32 id, Span memory p) = begin(t, HIGH, posted);
        Round memory round = roundOf(id, t, p, posted);
        bytes32[] memory path = treePath(segments(p, posted), 2);
        path[0] = segments(p, posted)[2];
        bytes memory data = abi.encodeCall(game.answer, (id, headOf(id, t), round, 3, 0, 0, path));
        refuse(SUBMITTER, data, WrongIndex.selector);
        play(SUBMITTER, answerData(id, t, p, posted, 2));
    }

    /// Whatever the width, k and the answers, the segments partition the interval and the game reaches width 1.
    function testGame34RoundsNarrowToOneStepG6(uint64 steps, uint8 k, uint256 choices) public {
        Terms memory t = defaultTerms(steps == 0 ? 1 : steps);
        t.k = uint8(bound(k, 2, 32));
        Span memory p = Span(0, 0, t.steps, t.start, HIGH);
        uint256 inner = Segments.count(0, t.steps, t.k) - 1;
        bytes32[] memory posted = some(inner, "first");
        bytes32 id = open(t, HIGH, posted);
        p.previous = transcript(id);
        play(CHALLENGER, encodeReveal(id, t, HIGH, posted, SALT));
        uint256 rounds;
        while (p.hi - p.lo > 1) {
            uint256 s = uint256(p.hi - p.lo) < t.k ? p.hi - p.lo : t.k;
            uint256 j = choices % s;
            choices = uint256(keccak256(abi.encode(choices)));
            Span memory next = Span({
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
            play(CHALLENGER, encodePost(id, t, p, posted));
            p.previous = previous;
            rounds++;
        }
        assertTrue(rounds <= 64, "too many rounds");
        // At width 1 it is the challenger's turn, on exactly this position.
        refuse(CHALLENGER, encodePost(id, t, p, none()), WrongWidth.selector);
    }

    function testGame34RoundIsExactlyTheInnerEndsP1G6() public {
        Terms memory t = defaultTerms(3);
        bytes32 id = open(t, HIGH, some(3, "a"));
        refuse(CHALLENGER, encodeReveal(id, t, HIGH, some(3, "a"), SALT), WrongLength.selector);
        id = open(t, HIGH, some(1, "a"));
        refuse(CHALLENGER, encodeReveal(id, t, HIGH, some(1, "a"), SALT), WrongLength.selector);
        // Width below k: one hash per inner step.
        (id,) = begin(t, HIGH, some(2, "a"));
        // One step: none at all.
        t = defaultTerms(1);
        id = open(t, HIGH, some(1, "a"));
        refuse(CHALLENGER, encodeReveal(id, t, HIGH, some(1, "a"), SALT), WrongLength.selector);
    }

    function testGame29OnlyASingleStepIsOpenedG7() public {
        Terms memory t = defaultTerms(8);
        (bytes32 id, Span memory p) = begin(t, HIGH, some(3, "a"));
        Span memory next = Span(transcript(id), 0, 2, t.start, some(1, "a")[0]);
        play(SUBMITTER, answerData(id, t, p, some(3, "a"), 0));
        refuse(CHALLENGER, encodeOpenNode(id, t, next, nodeOpening(SALT, none())), WrongWidth.selector);
        refuse(CHALLENGER, encodeOpenFinish(id, t, next, SALT, none()), WrongWidth.selector);
    }

    // The phase tensor

    function testGame33RoundIsTheNodesBelowP4G6() public {
        bytes32[] memory all = some(8, "node");
        descriptors[0] = descriptor(0, 3, 100, 1);
        publish();
        bytes32[] memory first = new bytes32[](4);
        for (uint256 i = 0; i < 4; i++) first[i] = pair(all[2 * i], all[2 * i + 1]);
        (bytes32 id, Terms memory t, Span memory before) = beforeNode(treeRoot(all));
        NodeOpening memory opening = nodeOpening(treeRoot(all), all);
        bytes memory data = encodeOpenNode(id, t, before, opening);
        refuse(CHALLENGER, data, WrongLength.selector);
        opening.nodes = none();
        refuse(CHALLENGER, encodeOpenNode(id, t, before, opening), WrongLength.selector);
        opening.nodes = same(4);
        refuse(CHALLENGER, encodeOpenNode(id, t, before, opening), WrongRoot.selector);

        Spot memory p;
        (id, t, p) = afterNode(treeRoot(all), first);
        // A node that was not posted, a right node at a wrong place, a path too short: none is an answer.
        bytes32[] memory path = treePath(first, 2);
        refuse(SUBMITTER, encodeAnswerNodes(id, t, p, 2, SALT, path), WrongRoot.selector);
        refuse(SUBMITTER, encodeAnswerNodes(id, t, p, 3, first[2], path), WrongRoot.selector);
        bytes32[] memory short = new bytes32[](1);
        short[0] = pair(first[0], first[1]);
        bytes32 half = pair(first[2], first[3]);
        refuse(SUBMITTER, encodeAnswerNodes(id, t, p, 1, half, short), WrongLength.selector);
        // INVARIANT GAME-14
        refuse(SUBMITTER, encodeAnswerNodes(id, t, p, 6, first[2], path), WrongIndex.selector);
        Spot memory next = Spot(transcript(id), 0, p.state, p.descriptor, 1, 2, first[2]);
        play(SUBMITTER, encodeAnswerNodes(id, t, p, 2, first[2], path));

        // The last round has what is left: one level, two nodes.
        bytes32[] memory last = new bytes32[](2);
        refuse(CHALLENGER, encodePostNodes(id, t, next, first), WrongLength.selector);
        refuse(CHALLENGER, encodePostNodes(id, t, next, last), WrongRoot.selector);
        (last[0], last[1]) = (all[5], all[4]);
        refuse(CHALLENGER, encodePostNodes(id, t, next, last), WrongRoot.selector);
        (last[0], last[1]) = (all[4], all[5]);
        bytes32 previous = transcript(id);
        play(CHALLENGER, encodePostNodes(id, t, next, last));
        next.previous = previous;
        Spot memory leaf = Spot(transcript(id), 0, p.state, p.descriptor, 0, 5, all[5]);
        play(SUBMITTER, encodeAnswerNodes(id, t, next, 1, all[5], treePath(last, 1)));
        assertEq(phase(id), uint256(Phase.Leaf), "phase");
        play(CHALLENGER, encodeOpenLeaf(id, t, leaf, leafOpening(all[5], 0, 1, none())));
    }

    function testGame14AnswerNamesANodeG6(uint256 index) public {
        bytes32[] memory nodes = some(4, "node");
        descriptors[0] = descriptor(0, 2, 100, 1);
        publish();
        (bytes32 id, Terms memory t, Spot memory p) = afterNode(treeRoot(nodes), nodes);
        index = bound(index, 4, type(uint256).max - 4);
        bytes memory data = encodeAnswerNodes(id, t, p, index, nodes[index % 4], treePath(nodes, index % 4));
        refuse(SUBMITTER, data, WrongIndex.selector);
    }

    /// The market hears of a won dispute when the submission has already fallen.
    function testGame35FallsBeforeTheMarketIsToldB() public {
        (bytes32 id, Terms memory t, Span memory p) = beforeArbitration(keccak256("leaf"));
        play(SUBMITTER, encodeArbitrate(id, t, p, abi.encode(p.low, p.high)));
        requireResolved(id, true);
        assertTrue(market.fallenWhenTold(id), "told before the fall");
        assertEq(market.indexTold(id), 7, "order of opening");
        assertEq(market.challengerTold(id), CHALLENGER, "challenger");
    }
}
