// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Test} from "./Test.sol";
import "../src/MarketErrors.sol";
import "../src/MarketTypes.sol";
import {AlreadyOpened} from "../src/GameErrors.sol";
import {IConsumer, Output} from "../src/IConsumer.sol";
import {Market} from "../src/Market.sol";
import {Registry} from "../src/Registry.sol";
import {IGameOfMarket, IMarketOfGame, NO_SLOT, Terms} from "../src/Types.sol";

/// Cheat codes that only the market's tests need.
interface IChainCheats {
    function fee(uint256 baseFee) external;
    function chainId(uint256 id) external;
    function getCode(string calldata artifact) external view returns (bytes memory);
}

/// What the scripted game knows of a dispute.
struct Scripted {
    bytes32 submissionId;
    address challenger;
    uint32 index;
    uint16 transactions;
    bytes32 commitment;
    bool open;
}

/// A game that decides as the test says: the market's tests are about money and time, not about computations.
contract ScriptedGame is IGameOfMarket {
    IMarketOfGame public market;
    Terms public last;
    mapping(bytes32 => Scripted) private disputes;
    /// Base fee of the block in which a submission fell.
    mapping(bytes32 => uint256) private baseFees;

    function setMarket(IMarketOfGame market_) external {
        market = market_;
    }

    function open(bytes32 disputeId, Terms calldata terms, bytes32 commitment) external {
        if (disputes[disputeId].challenger != address(0)) revert AlreadyOpened(disputeId);
        last = terms;
        disputes[disputeId] = Scripted(terms.submissionId, terms.challenger, terms.index, 1, commitment, true);
    }

    function disputeOf(bytes32 disputeId) external view returns (Scripted memory) {
        return disputes[disputeId];
    }

    function setTransactions(bytes32 disputeId, uint16 count) external {
        disputes[disputeId].transactions = count;
    }

    /// Tells the market, also what a game would never tell twice.
    function resolve(bytes32 disputeId, bool challengerWon) external {
        Scripted storage d = disputes[disputeId];
        d.open = false;
        if (challengerWon) baseFees[d.submissionId] = block.basefee;
        market.disputeResolved(disputeId, d.submissionId, d.index, d.challenger, challengerWon);
    }

    function settle(bytes32 disputeId) external {
        Scripted storage d = disputes[disputeId];
        d.open = false;
        uint256 baseFee = baseFees[d.submissionId];
        market.disputeReturned(disputeId, d.submissionId, d.index, d.challenger, d.transactions, baseFee);
    }
}

/// A consumer that asks for itself and remembers what it was told.
contract Asker is IConsumer {
    Market internal immutable market;
    uint256 public calls;
    uint256 public gasSeen;
    bytes32 public requestSeen;
    bytes32 public registrationSeen;
    uint256 public stakeSeen;
    uint256 public periodSeen;
    bool public backedSeen;
    bytes public firstOutput;
    bool public failing;

    constructor(Market market_) {
        market = market_;
    }

    function ask(RequestSpec calldata spec, InputData[] calldata inputs) external payable returns (bytes32) {
        return market.request{value: msg.value}(spec, inputs);
    }

    function setFailing(bool failing_) external {
        failing = failing_;
    }

    function onResult(bytes32 requestId, bytes32 registrationId, uint256 stake, uint256 period, bool backed, Output[] calldata outputs)
        external
        virtual
    {
        uint256 available = gasleft();
        require(!failing, "failing");
        calls++;
        gasSeen = available;
        requestSeen = requestId;
        registrationSeen = registrationId;
        stakeSeen = stake;
        periodSeen = period;
        backedSeen = backed;
        firstOutput = outputs[0].data;
    }
}

/// Small trees, computed the slow way, and a model of five slots:
/// 0 and 1 outputs of 40 and 4 bytes, 2 a data input of 100 bytes, 3 the seed, 4 the sampling parameters.
abstract contract MarketFixture is Test {
    IChainCheats internal constant chain = IChainCheats(address(vm));

    Registry internal registry;
    Market internal market;
    ScriptedGame internal game;
    uint256 internal time = 1_000_000;
    uint256 internal number = 100;

    address internal constant alice = address(0xa11ce);
    address internal constant bob = address(0xb0b);
    address internal constant carol = address(0xca401);

    bytes internal inputBytes;
    bytes internal firstBytes;
    bytes internal secondBytes;
    bytes32 internal constant SALT = bytes32(uint256(7));

    receive() external payable {}

    function setUp() public virtual {
        chain.fee(10 gwei);
        pass(0);
        registry = Registry(created("Registry", abi.encode(limits())));
        game = new ScriptedGame();
        market = Market(created("Market", abi.encode(registry, game)));
        game.setMarket(market);
        vm.deal(address(this), 1_000_000 ether);
        vm.deal(alice, 1_000_000 ether);
        vm.deal(bob, 1_000_000 ether);
        vm.deal(carol, 1_000_000 ether);
        for (uint256 i = 0; i < 100; i++) inputBytes.push(bytes1(uint8(i + 1)));
        for (uint256 i = 0; i < 40; i++) firstBytes.push(bytes1(uint8(2 * i + 1)));
        secondBytes = hex"01020304";
    }

    /// Deploys a compiled contract. `new` would embed it here, and the compiler optimize it once more for every test.
    function create(string memory name, bytes memory arguments) internal returns (address account, bytes memory error_) {
        bytes memory code = bytes.concat(chain.getCode(string.concat(name, ".sol:", name)), arguments);
        assembly ("memory-safe") {
            account := create(0, add(code, 32), mload(code))
            error_ := mload(0x40)
            mstore(0x40, add(error_, add(32, returndatasize())))
            mstore(error_, returndatasize())
            returndatacopy(add(error_, 32), 0, returndatasize())
        }
    }

    function created(string memory name, bytes memory arguments) internal returns (address account) {
        (account,) = create(name, arguments);
        assertTrue(account != address(0), name);
    }

    function refusesCreation(string memory name, bytes memory arguments, bytes memory error_) internal {
        (address account, bytes memory found) = create(name, arguments);
        assertEq(account, address(0), "not created");
        assertEq(keccak256(found), keccak256(error_), "error");
    }

    /// Lets `elapsed` seconds pass, and one block.
    function pass(uint256 elapsed) internal {
        time += elapsed;
        number += 1;
        vm.warp(time);
        vm.roll(number);
    }

    function limits() internal pure returns (Limits memory) {
        return Limits({
            minStake: 1 ether,
            minChallengerStake: 0.1 ether,
            maxChallengerStake: 10 ether,
            minShare: 0.01 ether,
            minCompensation: 0.001 ether,
            transactionGas: 100_000,
            minChallengePeriod: 60,
            minClock: 30,
            minRevealWindow: 20,
            maxChallengePeriod: 7 days,
            maxClock: 2 days,
            maxRevealWindow: 1 days,
            maxSubmitWindow: 7 days,
            maxCallbackGas: 1_000_000,
            maxReopenings: 8
        });
    }

    function terms() internal pure returns (Parameters memory p) {
        p.minStake = 1 ether;
        p.challengerStake = 0.2 ether;
        p.share = 0.1 ether;
        p.compensation = 0.02 ether;
        p.challengePeriod = 600;
        p.clock = 300;
        p.revealWindow = 100;
        p.maxReopenings = 2;
        p.k = 16;
        p.q = 4;
    }

    // Trees

    function hashPair(bytes32 left, bytes32 right) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked(left, right));
    }

    function treeRoot(bytes32[] memory leaves) internal pure returns (bytes32) {
        uint256 count = leaves.length;
        bytes32[] memory level = new bytes32[](count);
        for (uint256 i = 0; i < count; i++) level[i] = leaves[i];
        for (; count > 1; count /= 2) {
            for (uint256 i = 0; i < count / 2; i++) level[i] = hashPair(level[2 * i], level[2 * i + 1]);
        }
        return level[0];
    }

    function tensorRoot(bytes memory data, uint256 height) internal pure returns (bytes32) {
        bytes32[] memory leaves = new bytes32[](1 << height);
        for (uint256 i = 0; i < data.length; i++) {
            leaves[i / 32] |= bytes32(bytes1(data[i])) >> (8 * (i % 32));
        }
        return treeRoot(leaves);
    }

    function initialSlots() internal pure returns (bytes32[] memory leaves) {
        leaves = new bytes32[](8);
        leaves[0] = tensorRoot("", 1);
        leaves[2] = tensorRoot("before", 2);
        leaves[3] = bytes32(uint256(33));
    }

    /// The slots after a run whose output slots hold these bytes; `finish` clears the others.
    function finalSlots(bytes memory first, bytes memory second, bool finish)
        internal
        view
        returns (bytes32[] memory leaves)
    {
        leaves = new bytes32[](8);
        leaves[0] = tensorRoot(first, 1);
        leaves[1] = tensorRoot(second, 0);
        if (finish) return leaves;
        leaves[2] = tensorRoot(inputBytes, 2);
        leaves[3] = bytes32(uint256(5));
        leaves[4] = bytes32(uint256(6));
    }

    // The model

    function port(uint8 role, uint8 height, uint32 slot, uint64 length) internal pure returns (bytes memory) {
        return abi.encodePacked(role, height, slot, length);
    }

    function ports() internal pure returns (bytes memory) {
        return bytes.concat(port(0, 2, 2, 100), port(1, 0, 3, 32), port(2, 0, 4, 32), port(0, 1, 0, 40), port(0, 0, 1, 4));
    }

    function header(bytes32 initialRoot, uint32 slots, uint32 kept, uint16 ins, uint16 outs)
        internal
        pure
        returns (bytes memory)
    {
        return bytes.concat(
            abi.encodePacked(uint32(2), bytes32(uint256(1)), uint32(3), bytes32(uint256(2)), uint32(1), initialRoot),
            abi.encodePacked(slots, uint8(1), uint64(10), kept, NO_SLOT, bytes32(uint256(9)), ins, outs)
        );
    }

    function preimage() internal pure returns (bytes memory) {
        return bytes.concat(header(treeRoot(initialSlots()), 5, 2, 3, 2), ports());
    }

    function initialValues() internal pure returns (bytes32[] memory values) {
        bytes32[] memory leaves = initialSlots();
        values = new bytes32[](3);
        for (uint256 i = 0; i < 3; i++) values[i] = leaves[2 + i];
    }

    /// For the slots 2, 3 and 4: the neighbour of 4, then the two pairs beside them.
    function initialSiblings() internal pure returns (bytes32[] memory siblings) {
        bytes32[] memory leaves = initialSlots();
        siblings = new bytes32[](3);
        siblings[0] = leaves[5];
        siblings[1] = hashPair(leaves[0], leaves[1]);
        siblings[2] = hashPair(leaves[6], leaves[7]);
    }

    function register() internal returns (bytes32) {
        return registry.register(preimage(), terms(), initialValues(), initialSiblings());
    }

    // Requests and submissions

    function spec(bytes32 registrationId) internal pure returns (RequestSpec memory s) {
        s.registrationId = registrationId;
        s.iterations = 4;
        s.seed = bytes32(uint256(77));
        s.temperature = 0x00010000;
        s.topK = 40;
        s.topP = 0xe6666666;
        s.stake = 1 ether;
        s.challengePeriod = 600;
        s.clock = 300;
        s.submitWindow = 200;
        s.fee = 0.5 ether;
        s.finish = true;
    }

    function inputs() internal view returns (InputData[] memory list) {
        list = new InputData[](1);
        list[0].data = inputBytes;
    }

    function outputs() internal view returns (Output[] memory list) {
        list = new Output[](2);
        list[0].data = firstBytes;
        list[1].data = secondBytes;
    }

    function claimOf() internal view returns (bytes32) {
        return treeRoot(finalSlots(firstBytes, secondBytes, true));
    }

    function commitmentOf(bytes32 requestId, address submitter, bytes32 claim) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked(requestId, submitter, claim, SALT));
    }

    function noSiblings() internal pure returns (bytes32[] memory) {
        return new bytes32[](0);
    }

    function opened() internal returns (bytes32 requestId) {
        return market.request{value: 0.5 ether}(spec(register()), inputs());
    }

    function committed(bytes32 requestId, address submitter) internal returns (bytes32 submissionId) {
        bytes32 commitment = commitmentOf(requestId, submitter, claimOf());
        uint256 stake = market.getRequest(requestId).stake;
        vm.prank(submitter);
        return market.commit{value: stake}(requestId, commitment);
    }

    function revealed(bytes32 requestId, address submitter) internal returns (bytes32 submissionId) {
        submissionId = committed(requestId, submitter);
        pass(1);
        vm.prank(submitter);
        market.reveal(requestId, claimOf(), SALT, outputs(), noSiblings());
    }

    /// A request by this contract, submitted and revealed by bob, one block ago.
    function standing() internal returns (bytes32 requestId, bytes32 submissionId) {
        requestId = opened();
        submissionId = revealed(requestId, bob);
        pass(1);
    }

    function dispute(bytes32 requestId, address challenger, uint256 salt) internal returns (bytes32) {
        bytes32 submissionId = market.getRequest(requestId).submissionId;
        vm.prank(challenger);
        return market.openDispute{value: 0.2 ether}(submissionId, bytes32(salt));
    }

    /// A request by `asker`, submitted and revealed by bob, past its challenge period.
    function asked(Asker asker, uint32 callbackGas) internal returns (bytes32 id) {
        RequestSpec memory s = spec(register());
        s.callback = address(asker);
        s.callbackGas = callbackGas;
        id = asker.ask{value: s.fee}(s, inputs());
        revealed(id, bob);
        pass(601);
    }
}
