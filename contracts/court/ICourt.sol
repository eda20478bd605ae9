// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Answer} from "../market/TypedData.sol";
import {IReferee, Opening, Record, Statement, Target} from "./IReferee.sol";
import {Position} from "./Position.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";

/// @notice Whose move a challenge waits for, or how it has ended.
enum Turn {
    None, //       never opened
    Payee, //      the root, or a reveal
    Challenger, // an ask or a refutation
    Lost, //       the challenger's clock ran out; says nothing about the answer
    Won //         the answer was convicted while the challenge was open
}

/// @notice A challenge as of this block.
struct Game {
    bytes32 answerDigest;
    address challenger;
    Turn turn;
    uint40 deadline; //     unix seconds; the last second in which whoever has the turn may move
    uint8 depth; //         levels under `position` whose nodes have been revealed: 0, or 4, or less near the leaves
    bool isLeafRevealed;
    bytes32 node; //        hash at `position`
    Position position;
}

/// @notice A challenged answer.
struct Dispute {
    address payee;
    bytes32 statementId;
    bytes32 channelId;
    bytes32 traceRoot; //    zero until it is posted
    uint40 rootDue; //       unix seconds; the last second in which the root may be posted
    uint40 rootAt; //        unix seconds; when it was posted, or 0
    uint40 convictedAt; //   unix seconds, or 0
    uint32 open; //          challenges that have neither been lost nor won
    bytes32 head; //         the open challenge that was opened first, or 0
}

/// @title ICourt
/// @notice Disputes about signed answers: a challenger extracts parts of the payee's trace until one of them refutes it.
/// @dev Amounts are base units of `token`, times unix seconds.
interface ICourt {
    event Challenged(
        bytes32 indexed id,
        bytes32 indexed answerDigest,
        address indexed payee,
        address challenger,
        bytes32 statementId,
        bytes32 channelId,
        uint64 until,
        uint40 slot // the payee's clock runs out here, had it nothing done; sooner after a conviction of the payee
    );
    event Posted(bytes32 indexed answerDigest, bytes32 traceRoot);
    /// @notice The challenger asks for what is under `node`, which it has shown at `position`.
    event Asked(bytes32 indexed id, Position position, bytes32 node);
    /// @notice The nodes `depth` levels under the position that was asked for, left to right.
    event Revealed(bytes32 indexed id, uint8 depth, bytes32[] nodes);
    event LeafRevealed(bytes32 indexed id, bytes data);
    event Refuted(bytes32 indexed id, bytes32 indexed answerDigest, Target target);
    /// @notice The payee let its clock run out.
    event Silent(bytes32 indexed id, bytes32 indexed answerDigest);
    /// @notice The answer was proved false, or its payee fell silent. `rewarded` is the challenge that is paid.
    event Convicted(bytes32 indexed answerDigest, address indexed payee, bytes32 rewarded, address challenger);
    /// @notice The challenger let its clock run out: half of its bond is the payee's, the rest is burnt.
    event Lost(bytes32 indexed id, bytes32 indexed answerDigest, uint256 toPayee, uint256 burnt);
    event BondTaken(bytes32 indexed id, address indexed challenger, uint256 amount);
    event CreditWithdrawn(address indexed account, uint256 amount);

    error ZeroAddress();
    /// @notice A floor of zero or above a clock, a step above the payee's clock, or a clock that does not fit.
    error BadClocks(uint256 payeeSeconds, uint256 challengerSeconds, uint256 slotStepSeconds, uint256 floorSeconds);
    /// @notice `key` neither is `payee` nor may do this for it.
    error NotAllowed(address key);
    error WindowClosed(uint64 until);
    error AlreadyChallenged(bytes32 id);
    error AlreadyConvicted(bytes32 answerDigest, uint40 convictedAt);
    error WrongStatement(bytes32 statementId, bytes32 expected);
    error UnknownAnswer(bytes32 answerDigest);
    error UnknownChallenge(bytes32 id);
    error RootPosted(bytes32 answerDigest);
    error NotYourTurn(bytes32 id, Turn turn);
    error ClockExpired(bytes32 id, uint40 deadline);
    error BadChild(uint32 child, uint32 first, uint32 count);
    error BadPath();
    error RecordNeeded(uint32 index);
    error BadRecord(uint32 index);
    error BadReveal(bytes32 expected, bytes32 actual);
    error BadLength(uint256 got, uint256 expected);
    error LeafIsRevealed(bytes32 id);
    error NothingToEnd();
    /// @notice The challenge that would be rewarded was lost; take it off by `timeout` first.
    error ExpiredFirst(bytes32 id);
    error NoBond(bytes32 id);

    function token() external view returns (IERC20);
    function referee() external view returns (IReferee);
    /// @notice Version of the fold machine that the referee knows.
    function MACHINE_VERSION() external view returns (uint16);
    function BOND() external view returns (uint256);
    function PAYEE_CLOCK() external view returns (uint256);
    function CHALLENGER_CLOCK() external view returns (uint256);
    function SLOT_STEP() external view returns (uint256);
    function FLOOR() external view returns (uint256);

    /// @notice Opens a challenge of the answer that `r`, `vs` (EIP-2098) sign. Takes BOND from the caller by allowance.
    function challenge(Answer calldata a, bytes32 r, bytes32 vs, Statement calldata s) external returns (bytes32 id);
    /// @notice Commits the payee to the trace of a challenged answer, once for all challenges. Payee or operator.
    function post(bytes32 answerDigest, bytes32 traceRoot) external;
    /// @notice Shows the nodes under the position that was asked for. Anyone: they are checked against its hash.
    function reveal(bytes32 id, bytes32[] calldata nodes) external;
    /// @notice Shows the leaf that was asked for.
    function revealLeaf(bytes32 id, bytes calldata data) external;
    /// @notice Asks for what lies under node number `child` of the revealed height, which is `node`.
    /// @param path Siblings of `node` up to the position that was asked for last, bottom up.
    /// @param record The stage's record where the ask enters a list under a stage; else empty.
    function ask(
        bytes32 id,
        Statement calldata s,
        uint32 child,
        bytes32 node,
        bytes32[] calldata path,
        Record calldata record
    ) external;
    /// @notice Ends the dispute by evidence. Anyone; the reward is the earliest open challenge's.
    function refute(
        bytes32 id,
        Statement calldata s,
        Target calldata target,
        Record[] calldata records,
        bytes calldata code,
        Opening[] calldata openings
    ) external;
    /// @notice Ends what a clock has ended: a silent payee is convicted, a silent challenger has lost. Skips the rest.
    /// @return ended How many challenges were ended; reverts where it would be none.
    function timeout(bytes32[] calldata ids) external returns (uint256 ended);
    /// @notice Credits the bond of a challenge that was open when its answer was convicted.
    function takeBond(bytes32 id) external returns (uint256 amount);
    /// @notice Pays the caller what it has been credited.
    function withdraw() external returns (uint256 amount);

    function challengeId(bytes32 answerDigest, address challenger) external pure returns (bytes32);
    function gameOf(bytes32 id) external view returns (Game memory);
    function disputeOf(bytes32 answerDigest) external view returns (Dispute memory);
    /// @notice Challenges against `payee` that nobody has ended; while there are any, its stake stays.
    function openChallenges(address payee) external view returns (uint256);
    function convictedAt(bytes32 answerDigest) external view returns (uint40);
    function creditOf(address account) external view returns (uint256);
}
