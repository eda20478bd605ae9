// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IPaymentChannels} from "../market/IPaymentChannels.sol";
import {Answer, TypedData} from "../market/TypedData.sol";
import {Clock} from "./Clock.sol";
import {Header, HeaderLib, MACHINE_VERSION as VERSION} from "./Header.sol";
import {Dispute, Game, ICourt, Turn} from "./ICourt.sol";
import {IReferee, Opening, Record, Statement, Target} from "./IReferee.sol";
import {ListTree} from "./ListTree.sol";
import {OpenList} from "./OpenList.sol";
import {List, Position, PositionLib} from "./Position.sol";
import {StageShape} from "./StageShape.sol";
import {StatementId} from "./StatementId.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {MessageHashUtils} from "@openzeppelin/contracts/utils/cryptography/MessageHashUtils.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

/// @title Court
/// @notice The game that extracts a trace piece by piece, and the money that is played for. What a piece proves is the
///         referee's to say.
/// @dev Token balance = bonds of open challenges + bonds that wait for `takeBond` + credits + what was burnt, which is
///      credited to nobody and stays here. No owner, no pause: a rule that somebody can suspend protects nobody.
contract Court is ICourt, ReentrancyGuardTransient {
    using SafeERC20 for IERC20;

    /// @dev How a challenge has ended, where somebody has said so. A conviction says it for all of an answer at once.
    enum Fate {
        Open,
        Lost,
        Paid // its bond has gone back
    }

    struct Challenge {
        bytes32 answerDigest;
        address challenger; //     slot 1, with the four below
        Fate fate;
        uint8 depth; //            of the nodes revealed under `position`
        bool isAsked; //           the challenger has made its first move
        bool isLeafRevealed;
        Clock clock; //            as of the last move in this challenge; `_clockOf` knows what the root has changed since
        Position position;
        bytes32 node; //           from the first ask on; the trace root before
    }

    struct Case {
        address payee; //          slot 0
        uint40 rootDue;
        uint40 rootAt;
        uint40 convictedAt; //     slot 1
        uint32 open;
        uint40 openedAt;
        bytes32 statementId;
        bytes32 channelId;
        bytes32 traceRoot;
        OpenList list;
    }

    struct Docket {
        uint40 lastSlot; //        unix seconds; the latest end of any clock that the payee was given at an opening
        uint32 open;
        uint40 convictedAt; //     the latest conviction of any of its answers, or 0
        uint40 cappedTo; //        where the payee's clock ends at the latest in a challenge opened until then
    }

    /* CONSTANTS */

    uint16 public constant MACHINE_VERSION = VERSION;

    IPaymentChannels public immutable channels;
    IERC20 public immutable token;
    IReferee public immutable referee;
    uint256 public immutable BOND;
    uint256 public immutable PAYEE_CLOCK;
    uint256 public immutable CHALLENGER_CLOCK;
    uint256 public immutable SLOT_STEP;
    uint256 public immutable FLOOR;

    /* STORAGE */

    mapping(bytes32 id => Challenge) private _challenges;
    mapping(bytes32 answerDigest => Case) private _cases;
    mapping(address payee => Docket) private _dockets;
    mapping(address account => uint256) private _credits;

    /// @param market Knows who answers for whom and takes the penalty. It is being constructed, and cannot be asked yet.
    constructor(
        IPaymentChannels market,
        IERC20 settlementToken,
        IReferee evidenceReferee,
        uint256 bond,
        uint256 payeeClockSeconds,
        uint256 challengerClockSeconds,
        uint256 slotStepSeconds,
        uint256 floorSeconds
    ) {
        bool clocksFit = floorSeconds > 0 && floorSeconds <= payeeClockSeconds && floorSeconds <= challengerClockSeconds
            && slotStepSeconds <= payeeClockSeconds && payeeClockSeconds <= type(uint32).max
            && challengerClockSeconds <= type(uint32).max;
        if (!clocksFit) {
            revert BadClocks(payeeClockSeconds, challengerClockSeconds, slotStepSeconds, floorSeconds);
        }
        if (address(evidenceReferee) == address(0)) revert ZeroAddress();

        channels = market;
        token = settlementToken;
        referee = evidenceReferee;
        BOND = bond;
        PAYEE_CLOCK = payeeClockSeconds;
        CHALLENGER_CLOCK = challengerClockSeconds;
        SLOT_STEP = slotStepSeconds;
        FLOOR = floorSeconds;
    }

    /* OPENING */

    /// @inheritdoc ICourt
    function challenge(
        Answer calldata a,
        bytes32 r,
        bytes32 vs,
        Statement calldata s
    ) external nonReentrant returns (bytes32 id) {
        bytes32 answerDigest = _requireAnswer(a, r, vs);
        // INVARIANT: an answer that nobody has challenged by `until` is final.
        if (block.timestamp > a.until) revert WindowClosed(a.until);
        Case storage c = _cases[answerDigest];
        // INVARIANT: a conviction is the end; a challenge after it could only lose its bond.
        if (c.convictedAt != 0) revert AlreadyConvicted(answerDigest, c.convictedAt);
        // INVARIANT: an id is a game. It names answer and challenger, so that when the chain is reorganised a move still
        // meets the game it was made for, or none. And one for each challenger: a second try would be a second clock.
        id = challengeId(answerDigest, msg.sender);
        if (_challenges[id].challenger != address(0)) revert AlreadyChallenged(id);
        _requireStatement(s, a.statementId);

        uint40 slot = _giveSlot(a.payee);
        if (c.payee == address(0)) {
            c.payee = a.payee;
            // INVARIANT: the root is due once, at the earliest slot of the answer. Slots of a payee never go back, so that
            // is the first one; later challenges cannot put it off.
            c.rootDue = slot;
            c.openedAt = uint40(block.timestamp);
            c.statementId = a.statementId;
            c.channelId = a.channelId;
        }
        c.open += 1;
        c.list.append(id);
        Challenge storage game = _challenges[id];
        game.answerDigest = answerDigest;
        game.challenger = msg.sender;
        game.position = PositionLib.rootOf(List.Stages, uint32(HeaderLib.decode(s.header).stages)); // a u16
        game.clock = Clock({
            payeeLeft: uint40(slot - block.timestamp), // a slot lies in the future
            challengerLeft: uint40(CHALLENGER_CLOCK), // below 2^32
            since: uint40(block.timestamp),
            isPayeesTurn: c.rootAt == 0 // once there is a root the payee owes nothing until it is asked
        });

        emit Challenged(id, answerDigest, a.payee, msg.sender, a.statementId, a.channelId, a.until, slot);

        token.safeTransferFrom(msg.sender, address(this), BOND);
    }

    /// @inheritdoc ICourt
    function post(bytes32 answerDigest, bytes32 traceRoot) external {
        Case storage c = _cases[answerDigest];
        if (c.payee == address(0)) revert UnknownAnswer(answerDigest);
        if (c.convictedAt != 0) revert AlreadyConvicted(answerDigest, c.convictedAt);
        // INVARIANT: one root for all challenges. With one for each a liar could show each challenger another trace.
        if (c.rootAt != 0) revert RootPosted(answerDigest);
        // INVARIANT: only who answers for the payee now commits it. A root is never checked when it is posted: a wrong one
        // convicts, and a stranger, or a thief with a key withdrawn since, would post one for an honest payee.
        if (channels.answerableUntil(c.payee, msg.sender) != type(uint40).max) revert NotAllowed(msg.sender);
        uint40 due = _rootDue(c);
        if (block.timestamp > due) revert ClockExpired(answerDigest, due);

        c.traceRoot = traceRoot;
        c.rootAt = uint40(block.timestamp); // at most rootDue, a uint40

        emit Posted(answerDigest, traceRoot);
    }

    /* EXTRACTING */

    /// @inheritdoc ICourt
    function ask(
        bytes32 id,
        Statement calldata s,
        uint32 child,
        bytes32 node,
        bytes32[] calldata path,
        Record calldata record
    ) external {
        (Challenge storage game, Case storage c, Clock memory clock) = _turnOf(id, false);
        // INVARIANT: a challenge is led by its challenger alone. Anybody else could lead it into a part that is true.
        if (msg.sender != game.challenger) revert NotAllowed(msg.sender);
        if (game.isLeafRevealed) revert LeafIsRevealed(id);
        _requireStatement(s, c.statementId);

        Position memory p = game.position;
        uint256 depth = game.depth;
        _requireChild(p, depth, child, node, game.isAsked ? game.node : c.traceRoot, path);
        p.height -= uint8(depth); // at most the height
        p.index = child;
        if (p.height == 0 && p.list != List.Leaves) _enter(p, s, record);

        game.position = p;
        game.node = node;
        game.depth = 0;
        game.isAsked = true;
        game.clock = clock.pass(block.timestamp, FLOOR);

        emit Asked(id, p, node);
    }

    /// @inheritdoc ICourt
    function reveal(bytes32 id, bytes32[] calldata nodes) external {
        (Challenge storage game,, Clock memory clock) = _turnOf(id, true);
        Position memory p = game.position;
        uint8 depth = p.revealedLevels();
        (, uint256 count) = p.children(depth);
        // INVARIANT: the shape of the tree is computed and not the payee's to choose. Who has committed to a tree of another
        // shape cannot show the nodes that are asked for, and loses by time.
        if (depth == 0 || nodes.length != count) revert BadLength(nodes.length, depth == 0 ? 0 : count);
        bytes32 merged = ListTree.merge(nodes, depth);
        // INVARIANT: whatever is shown was fixed by the root, so it does not matter who shows it.
        if (merged != game.node) revert BadReveal(game.node, merged);

        game.depth = depth;
        game.clock = clock.pass(block.timestamp, FLOOR);

        emit Revealed(id, depth, nodes);
    }

    /// @inheritdoc ICourt
    function revealLeaf(bytes32 id, bytes calldata data) external {
        (Challenge storage game,, Clock memory clock) = _turnOf(id, true);
        Position memory p = game.position;
        // INVARIANT: a leaf has exactly its bytes. A short one could be hashed and shown, but never be opened as evidence,
        // so a lie under it could not be refuted.
        uint256 expected = p.list == List.Leaves && p.height == 0 ? p.leafBytes() : 0;
        if (expected == 0 || data.length != expected) revert BadLength(data.length, expected);
        bytes32 hash = ListTree.leafHash(data);
        if (hash != game.node) revert BadReveal(game.node, hash);

        game.isLeafRevealed = true;
        game.clock = clock.pass(block.timestamp, FLOOR);

        emit LeafRevealed(id, data);
    }

    /* ENDING */

    /// @inheritdoc ICourt
    function refute(
        bytes32 id,
        Statement calldata s,
        Target calldata target,
        Record[] calldata records,
        bytes calldata code,
        Opening[] calldata openings
    ) external {
        bytes32 answerDigest = _requireOpen(id);
        _requireStatement(s, _cases[answerDigest].statementId);
        // INVARIANT: the verdict is about this answer and the root that its payee posted. Before it has, the root is zero:
        // nothing can be opened in that, which leaves what needs no trace. A referee that runs out of gas reverts, and
        // everything with it: a starved call decides nothing.
        if (!referee.refute(s, _cases[answerDigest].traceRoot, target, records, code, openings)) {
            revert IReferee.NotRefuted();
        }

        emit Refuted(id, answerDigest, target);

        _convict(answerDigest);
    }

    /// @inheritdoc ICourt
    function timeout(bytes32[] calldata ids) external returns (uint256 ended) {
        for (uint256 i = 0; i < ids.length; ++i) {
            bytes32 id = ids[i];
            Challenge storage game = _challenges[id];
            bytes32 answerDigest = game.answerDigest;
            Case storage c = _cases[answerDigest];
            bool isOver = game.challenger == address(0) || game.fate != Fate.Open || c.convictedAt != 0;
            if (isOver) continue;
            (Clock memory clock, uint40 deadline) = _clockOf(game, c);
            if (block.timestamp <= deadline) continue;

            ++ended;
            if (clock.isPayeesTurn) {
                emit Silent(id, answerDigest);
                _convict(answerDigest);
            } else {
                _lose(id, game, c);
            }
        }
        if (ended == 0) revert NothingToEnd();
    }

    /// @inheritdoc ICourt
    function takeBond(bytes32 id) external returns (uint256 amount) {
        Challenge storage game = _challenges[id];
        if (_turnNow(game) != Turn.Won || game.fate == Fate.Paid) revert NoBond(id);

        game.fate = Fate.Paid;
        amount = BOND;
        _credits[game.challenger] += amount;

        emit BondTaken(id, game.challenger, amount);
    }

    /// @inheritdoc ICourt
    function withdraw() external nonReentrant returns (uint256 amount) {
        amount = _credits[msg.sender];
        if (amount == 0) return 0;

        _credits[msg.sender] = 0;

        emit CreditWithdrawn(msg.sender, amount);

        token.safeTransfer(msg.sender, amount);
    }

    /* VIEWS */

    /// @inheritdoc ICourt
    function challengeId(bytes32 answerDigest, address challenger) public pure returns (bytes32) {
        return keccak256(abi.encode(answerDigest, challenger));
    }

    /// @inheritdoc ICourt
    function gameOf(bytes32 id) external view returns (Game memory g) {
        Challenge storage game = _challenges[id];
        if (game.challenger == address(0)) return g;
        Case storage c = _cases[game.answerDigest];
        (, uint40 deadline) = _clockOf(game, c);
        g = Game({
            answerDigest: game.answerDigest,
            challenger: game.challenger,
            turn: _turnNow(game),
            deadline: deadline,
            depth: game.depth,
            isLeafRevealed: game.isLeafRevealed,
            node: game.isAsked ? game.node : c.traceRoot,
            position: game.position
        });
    }

    /// @inheritdoc ICourt
    function disputeOf(bytes32 answerDigest) external view returns (Dispute memory) {
        Case storage c = _cases[answerDigest];
        return Dispute({
            payee: c.payee,
            statementId: c.statementId,
            channelId: c.channelId,
            traceRoot: c.traceRoot,
            rootDue: _rootDue(c),
            rootAt: c.rootAt,
            convictedAt: c.convictedAt,
            open: c.open,
            head: c.list.head
        });
    }

    /// @inheritdoc ICourt
    function openChallenges(address payee) external view returns (uint256) {
        return _dockets[payee].open;
    }

    /// @inheritdoc ICourt
    function convictedAt(bytes32 answerDigest) external view returns (uint40) {
        return _cases[answerDigest].convictedAt;
    }

    /// @inheritdoc ICourt
    function creditOf(address account) external view returns (uint256) {
        return _credits[account];
    }

    /* INTERNAL */

    /// @dev The digest of an answer that binds its payee.
    function _requireAnswer(Answer calldata a, bytes32 r, bytes32 vs) private view returns (bytes32 answerDigest) {
        answerDigest = MessageHashUtils.toTypedDataHash(
            channels.DOMAIN_SEPARATOR(),
            TypedData.answerHash(a.payee, a.statementId, a.channelId, a.maxClaimableAmount, a.charged, a.until)
        );
        address key = ECDSA.recover(answerDigest, r, vs);
        uint256 last = channels.answerableUntil(a.payee, key);
        // INVARIANT: what a payer could accept can be punished, whenever the court reads it: payer and court ask the same
        // question of the same number. 0 means that the key never was the payee's, also for an answer of `until` 0.
        if (last == 0 || a.until > last) revert NotAllowed(key);
    }

    function _requireStatement(Statement calldata s, bytes32 expected) private pure {
        bytes32 statementId = StatementId.idOf(s);
        if (statementId != expected) revert WrongStatement(statementId, expected);
    }

    /// @dev INVARIANT: the payee gets one clock for each challenge, and clocks end at least a step apart. It has to build
    ///      each trace and answer each game with one machine: were all clocks of one length, a flood of challenges would
    ///      make every payee silent. Only roots in a queue would not help: the flood would be one of reveals.
    function _giveSlot(address payee) private returns (uint40 slot) {
        Docket storage docket = _dockets[payee];
        uint256 next = Math.max(block.timestamp + PAYEE_CLOCK, uint256(docket.lastSlot) + SLOT_STEP);
        slot = uint40(Math.min(next, type(uint40).max)); // 30,000 years from now, whatever the flood
        docket.lastSlot = slot;
        docket.open += 1;
        // times are seconds: who is challenged in the one of a conviction, after it, keeps the slot
        if (docket.convictedAt == block.timestamp && docket.cappedTo < slot) docket.cappedTo = slot;
    }

    /// @dev INVARIANT: time that a payee has under a flood is paid for by bonds. A conviction gives those of its answer back,
    ///      so it takes the time back as well: all clocks of the payee end as if only what stays open had been opened. Else a
    ///      liar would challenge a false answer of its own a thousand times, convict itself, and be given weeks for the root
    ///      of every other lie, for nothing.
    function _freeSlots(address payee, uint32 ended) private {
        Docket storage docket = _dockets[payee];
        uint32 open = docket.open - ended;
        uint256 latest = Math.min(block.timestamp + PAYEE_CLOCK + open * SLOT_STEP, type(uint40).max);
        docket.open = open;
        docket.convictedAt = uint40(block.timestamp);
        docket.cappedTo = uint40(latest);
        uint256 last = latest - SLOT_STEP; // at most PAYEE_CLOCK
        if (last < docket.lastSlot) docket.lastSlot = uint40(last);
    }

    /// @dev An open challenge in which it is the turn of the payee, or of the challenger, and time is left.
    function _turnOf(
        bytes32 id,
        bool isPayees
    ) private view returns (Challenge storage game, Case storage c, Clock memory clock) {
        game = _challenges[id];
        if (game.challenger == address(0)) revert UnknownChallenge(id);
        c = _cases[game.answerDigest];
        // INVARIANT: nothing moves after the end.
        if (c.convictedAt != 0) revert AlreadyConvicted(game.answerDigest, c.convictedAt);
        if (game.fate == Fate.Lost) revert NotYourTurn(id, Turn.Lost);
        uint40 deadline;
        (clock, deadline) = _clockOf(game, c);
        bool awaitsRoot = clock.isPayeesTurn && !game.isAsked;
        if (clock.isPayeesTurn != isPayees || awaitsRoot) revert NotYourTurn(id, _turnBy(clock));
        // INVARIANT: a move that comes late is none, whether or not anybody has ended the game.
        if (block.timestamp > deadline) revert ClockExpired(id, deadline);
    }

    /// @dev INVARIANT: who refutes needs a challenge that has not been lost. Without one an answer could be overturned after
    ///      its window, which payers and consumers have taken for final; and a lost one costs its bond for good.
    function _requireOpen(bytes32 id) private view returns (bytes32 answerDigest) {
        Challenge storage game = _challenges[id];
        if (game.challenger == address(0)) revert UnknownChallenge(id);
        answerDigest = game.answerDigest;
        Case storage c = _cases[answerDigest];
        if (c.convictedAt != 0) revert AlreadyConvicted(answerDigest, c.convictedAt);
        if (game.fate == Fate.Lost) revert NotYourTurn(id, Turn.Lost);
        (Clock memory clock, uint40 deadline) = _clockOf(game, c);
        if (!clock.isPayeesTurn && block.timestamp > deadline) revert ClockExpired(id, deadline);
    }

    /// @dev The clock of a challenge as the root has left it, and the last second of whoever has the turn. A root stops the
    ///      payee's clock in every challenge of the answer at once; that it is worked out when somebody looks keeps `post`
    ///      at one price whatever their number. Total.
    function _clockOf(
        Challenge storage game,
        Case storage c
    ) private view returns (Clock memory clock, uint40 deadline) {
        Docket memory docket = _dockets[c.payee];
        clock = game.clock.cap(docket.convictedAt, docket.cappedTo);
        if (!game.isAsked && clock.isPayeesTurn) {
            if (c.rootAt == 0) return (clock, _rootDue(c));
            clock = clock.pass(c.rootAt, FLOOR).cap(docket.convictedAt, docket.cappedTo);
        }
        deadline = clock.deadline();
    }

    /// @dev The last second in which the root may be posted. Total.
    function _rootDue(Case storage c) private view returns (uint40) {
        Docket memory docket = _dockets[c.payee];
        bool isCapped = docket.convictedAt >= c.openedAt && docket.cappedTo < c.rootDue;
        return isCapped ? docket.cappedTo : c.rootDue;
    }

    /// @dev Total.
    function _turnNow(Challenge storage game) private view returns (Turn) {
        if (game.challenger == address(0)) return Turn.None;
        if (game.fate == Fate.Lost) return Turn.Lost;
        Case storage c = _cases[game.answerDigest];
        (Clock memory clock, uint40 deadline) = _clockOf(game, c);
        if (c.convictedAt == 0) return _turnBy(clock);
        // INVARIANT: a challenge that was lost when the conviction came stays lost, though nobody had said so.
        return !clock.isPayeesTurn && c.convictedAt > deadline ? Turn.Lost : Turn.Won;
    }

    function _turnBy(Clock memory clock) private pure returns (Turn) {
        return clock.isPayeesTurn ? Turn.Payee : Turn.Challenger;
    }

    /// @dev Reverts unless `node` is the child number `child`, `depth` levels under the position, whose node is `above`.
    function _requireChild(
        Position memory p,
        uint256 depth,
        uint32 child,
        bytes32 node,
        bytes32 above,
        bytes32[] calldata path
    ) private pure {
        (uint256 first, uint256 count) = p.children(depth);
        if (child < first || child >= first + count) revert BadChild(child, uint32(first), uint32(count));
        (bytes32 root, bool ok) = ListTree.climb(node, child, p.nodesAt(p.height - depth), depth, path);
        if (!ok || root != above) revert BadPath();
    }

    /// @dev Goes from an element of a list into the list below it, which has the same node, and on while that has one
    ///      element: a list of one is its element. The lengths come from the stage's record, which the model id binds; none
    ///      is taken from the tree that it measures.
    function _enter(Position memory p, Statement calldata s, Record calldata record) private pure {
        if (p.list == List.Stages) p.stage = uint16(p.index); // below the u16 of the header
        bytes calldata data = _requireRecord(p.stage, s, record);
        uint256 folds = StageShape.folds(data);
        if (folds == 0) revert BadRecord(record.index);
        do {
            uint256 length;
            if (p.list == List.Stages && StageShape.isLoop(data)) {
                p.list = List.Steps;
                length = StageShape.steps(data, s.T);
            } else if (p.list == List.Steps) {
                p.list = List.Folds;
                p.t = p.index;
                length = folds;
            } else {
                if (p.list == List.Folds) p.fold = uint8(p.index); // below 16
                p.list = List.Leaves;
                p.tensorBytes = uint48(StageShape.tensorBytes(data, p.fold, p.t, s.T)); // at most 2^40
                length = Math.ceilDiv(p.tensorBytes, PositionLib.LEAF_BYTES);
            }
            // a malformed record says nothing about lengths, but it refutes the statement as it is
            if (length == 0) revert BadRecord(record.index);
            p.index = 0;
            p.length = uint32(length); // steps are below 2^32, leaves at most 2^30
            p.height = PositionLib.heightOf(p.length);
        } while (p.height == 0 && p.list != List.Leaves);
    }

    /// @dev The bytes of the stage's record, shown under the program's root.
    function _requireRecord(
        uint256 stage,
        Statement calldata s,
        Record calldata record
    ) private pure returns (bytes calldata) {
        Header memory header = HeaderLib.decode(s.header);
        uint256 index = header.tensors() + stage;
        if (record.data.length == 0) revert RecordNeeded(uint32(index)); // at most four u16
        uint256 count = header.tensors() + header.stages;
        uint256 levels = PositionLib.heightOf(uint32(count));
        (bytes32 root, bool ok) = ListTree.climb(ListTree.leafHash(record.data), index, count, levels, record.path);
        if (record.index != index || !ok || root != s.programRoot) revert BadRecord(record.index);
        return record.data;
    }

    /// @dev A lost challenge says nothing about the answer: a liar's friend could lose on purpose. Half of the bond pays the
    ///      payee's gas; were it all, a payee could challenge itself for nothing to keep its last slot ahead.
    function _lose(bytes32 id, Challenge storage game, Case storage c) private {
        game.fate = Fate.Lost;
        c.open -= 1;
        c.list.remove(id);
        _dockets[c.payee].open -= 1;
        uint256 toPayee = BOND / 2;
        _credits[c.payee] += toPayee;

        emit Lost(id, game.answerDigest, toPayee, BOND - toPayee);
    }

    /// @dev INVARIANT: the first conviction ends every challenge of the answer, at a cost that their number does not change:
    ///      were it a loop, a thousand straw challenges would save a lie. All that are open get their bonds back, and the
    ///      first of them the reward, whoever sends the evidence: to copy it from the mempool gains nothing, nor does a
    ///      challenge opened late, in front of the evidence. A lost one at the head would be paid for nothing, so it is taken
    ///      off first, by `timeout`, in as many transactions as it takes.
    function _convict(bytes32 answerDigest) private {
        Case storage c = _cases[answerDigest];
        bytes32 head = c.list.head;
        Challenge storage first = _challenges[head];
        (Clock memory clock, uint40 deadline) = _clockOf(first, c);
        if (!clock.isPayeesTurn && block.timestamp > deadline) revert ExpiredFirst(head);

        c.convictedAt = uint40(block.timestamp);
        _freeSlots(c.payee, c.open);
        c.open = 0;

        emit Convicted(answerDigest, c.payee, head, first.challenger);

        channels.convict(c.payee, first.challenger, c.channelId);
    }
}
