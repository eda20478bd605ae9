// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ICourt} from "../court/ICourt.sol";
import {IModelRegistry} from "./IModelRegistry.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";

/// @notice What a payee has put up. `amount` includes what is unbonding: it answers until it has left.
struct Stake {
    uint96 amount;
    uint96 unbonding;
    uint40 releasedAt; // unix seconds
}

/// @notice Income that still answers for the answers it paid for. An epoch lasts HOLD seconds; what came in during one
///         becomes ready when the epoch after it has ended, so it waits for one to two of them.
struct Income {
    uint96 current; //  came in during `epoch`
    uint96 previous; // came in during the epoch before
    uint64 epoch; //    block time / HOLD at the last change
}

/// @notice What a market is deployed with. Amounts are base units of its token.
struct Terms {
    uint256 windowSeconds; //          in which an answer may be challenged
    uint256 noticeSeconds; //          between a payer's `startExit` and its money
    uint256 penalty; //                what a conviction takes from stake
    uint256 bond; //                   what a challenge puts up
    uint256 payeeClockSeconds; //      of each challenge, for the root and all reveals together
    uint256 challengerClockSeconds; // of each challenge, for all that the challenger does
    uint256 slotStepSeconds; //        by which each further challenge of a payee gives it more time
    uint256 floorSeconds; //           that either side has at least after a move of the other
}

/// @title IAccounts
/// @notice Everything that a payee owns and owes: stake, held and ready income, and the keys that may act for it.
/// @dev Amounts are base units of `token`, times are unix seconds.
interface IAccounts {
    /// @notice `amount` was added to the stake of `payee`, which is now `stake`.
    event Staked(address indexed payee, uint256 amount, uint256 stake);
    /// @notice `amount` of the stake leaves at `releasedAt`. Replaces what was unbonding before.
    event UnbondStarted(address indexed payee, uint256 amount, uint256 releasedAt);
    /// @notice `amount` was paid back, `stake` is left.
    event Unbonded(address indexed payee, uint256 amount, uint256 stake);
    /// @notice `amount` of the stake was taken for a wrong of `payee`; `stake` is left, `unbonding` of it.
    event StakeTaken(address indexed payee, uint256 amount, uint256 stake, uint256 unbonding);
    /// @notice The court took `taken` of the stake of `payee`, and all its held income. `burnt` of both is nobody's now;
    ///         the rest was credited to `challenger` and set aside for the payer of `channelId`, in equal parts.
    event Convicted(
        address indexed payee, address indexed challenger, bytes32 indexed channelId, uint256 taken, uint256 burnt
    );
    /// @notice Ready income was paid to `payee`.
    event Collected(address indexed payee, uint256 amount);
    /// @notice `key` answers for `payee` until `until`; the largest uint40 while it is an operator.
    event OperatorSet(address indexed payee, address indexed key, uint40 until);
    /// @notice Credit was paid out to `account`.
    event CreditWithdrawn(address indexed account, uint256 amount);

    /// @notice `caller` is neither the account that may do this nor its operator.
    error NotAllowed(address caller);
    error TooEarly(uint256 readyAt);
    error StakeTooLow(uint256 have, uint256 need);
    error ZeroAmount();
    error ZeroAddress();
    error NothingUnbonding(address payee);
    /// @notice `count` challenges of the caller's answers have not been ended.
    error ChallengesOpen(uint256 count);
    /// @notice A period is so long that times no longer fit.
    error BadDurations(uint256 windowSeconds, uint256 clocksSeconds, uint256 noticeSeconds);

    /// @notice The settlement token.
    /// @dev Assumed to be a plain ERC-20 with a supply below 2^96: no fee on transfer, no rebase, no hooks that fail.
    function token() external view returns (IERC20);

    /// @notice Where royalties, lineage and owners of models are looked up.
    function models() external view returns (IModelRegistry);

    /// @notice Where answers are challenged. It alone can convict, and it was made with this contract.
    function court() external view returns (ICourt);

    /// @notice Seconds in which an answer may be challenged.
    function WINDOW() external view returns (uint256);

    /// @notice Seconds that the two clocks of a challenge hold together.
    function CLOCKS() external view returns (uint256);

    /// @notice WINDOW + CLOCKS: how long stake and income wait, and how long a withdrawn key goes on answering.
    function HOLD() external view returns (uint256);

    /// @notice Seconds between a payer's `startExit` and its money.
    function NOTICE() external view returns (uint256);

    /// @notice What a conviction takes from stake.
    function PENALTY() external view returns (uint256);

    /// @notice Adds `amount` to the caller's stake. It is taken from the caller by allowance.
    function stake(uint96 amount) external;

    /// @notice Starts to take `amount` of the caller's stake back. What is unbonding still answers. A second call replaces
    ///         the first and begins the wait anew; 0 cancels.
    /// @dev It can leave in the first second after HOLD: an answer accepted in the second of this call may be challenged
    ///      up to the last of HOLD, and finds the stake there.
    function startUnbond(uint96 amount) external;

    /// @notice Pays the caller what has finished unbonding. Not while any challenge of its answers is open.
    function finishUnbond() external returns (uint256 amount);

    /// @notice Punishes a false answer of `payee` to what was paid on `channelId`: takes PENALTY or what there is from
    ///         stake, and burns all held income. A quarter of what is taken is credited to `challenger`, a quarter set aside
    ///         for the channel's payer, the rest is burnt. The court alone; it moves no token, and never fails.
    function convict(address payee, address challenger, bytes32 channelId) external returns (uint256 taken);

    /// @notice Pays `payee` the income that has left the hold. Anyone may call it.
    function collect(address payee) external returns (uint256 amount);

    /// @notice Pays the caller what it has been credited.
    function withdraw() external returns (uint256 amount);

    /// @notice Lets `key` redeem, sign answers and set offers for the caller, or withdraws it.
    /// @dev A withdrawn key stops acting at once, but answers made with it stay good while their `until` is at most
    ///      HOLD after the withdrawal, and nothing signed with it counts any more HOLD + NOTICE after it. Withdrawing a
    ///      key that is no operator changes nothing.
    ///      Warning: an operator can commit the caller's held income and stake by what it signs; it can never take them.
    function setOperator(address key, bool allowed) external;

    /// @notice Until when `key` answers for `payee`: the largest uint40 for the payee itself and for an operator,
    ///         withdrawal + HOLD for a former one, 0 for any other key.
    /// @dev Warning: 0 means never, and not "until 1970": refuse such a key before you compare a time with this.
    function answerableUntil(address payee, address key) external view returns (uint40);

    function stakeOf(address payee) external view returns (Stake memory);

    /// @notice Income of `payee` as of this block: `held` still answers, `ready` can be collected.
    function incomeOf(address payee) external view returns (uint96 held, uint96 ready);

    /// @notice What convictions have set aside for the payer of the channel `channelId`. Nobody can claim it for an id that
    ///         is no channel's, so there it is burnt.
    function compensationOf(bytes32 channelId) external view returns (uint256);

    /// @notice What `account` can withdraw.
    function creditOf(address account) external view returns (uint256);
}
