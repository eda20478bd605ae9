// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Court} from "../court/Court.sol";
import {ICourt} from "../court/ICourt.sol";
import {IReferee} from "../court/IReferee.sol";
import {IAccounts, Income, Stake, Terms} from "./IAccounts.sol";
import {IModelRegistry} from "./IModelRegistry.sol";
import {IPaymentChannels} from "./IPaymentChannels.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";

/// @title Accounts
/// @notice The payees' side of PaymentChannels.
/// @dev Every amount stored here is backed by tokens of this contract, so sums stay below the token's supply.
abstract contract Accounts is IAccounts, ReentrancyGuardTransient {
    using SafeERC20 for IERC20;
    using SafeCast for uint256;

    /* CONSTANTS */

    uint40 private constant FOREVER = type(uint40).max;
    uint256 private constant MAX_DURATION_SECONDS = 3650 days;
    /// @dev Of what a conviction takes from stake: one part to the challenger, one to the payer, what is left is burnt. Half
    ///      has to be: a liar may be its own challenger and its own payer, and only what it cannot get back deters it.
    uint256 private constant CONVICTION_PARTS = 4;

    IERC20 public immutable token;
    IModelRegistry public immutable models;
    ICourt public immutable court;
    uint256 public immutable WINDOW;
    uint256 public immutable CLOCKS;
    uint256 public immutable HOLD;
    uint256 public immutable NOTICE;
    uint256 public immutable PENALTY;

    /* STORAGE */

    mapping(address payee => Stake) private _stakes;
    mapping(address payee => Income) private _incomes;
    mapping(address payee => uint96) private _ready;
    mapping(address account => uint256) private _credits;
    mapping(address payee => mapping(address key => uint40 until)) private _answerableUntil;
    mapping(bytes32 channelId => uint256) private _compensations;

    constructor(IERC20 settlementToken, IModelRegistry modelRegistry, IReferee referee, Terms memory terms) {
        uint256 clocksSeconds = Math.saturatingAdd(terms.payeeClockSeconds, terms.challengerClockSeconds);
        if (
            terms.windowSeconds > MAX_DURATION_SECONDS || clocksSeconds > MAX_DURATION_SECONDS
                || terms.noticeSeconds > MAX_DURATION_SECONDS
        ) revert BadDurations(terms.windowSeconds, clocksSeconds, terms.noticeSeconds);
        if (address(settlementToken) == address(0) || address(modelRegistry) == address(0)) revert ZeroAddress();

        token = settlementToken;
        models = modelRegistry;
        WINDOW = terms.windowSeconds;
        CLOCKS = clocksSeconds;
        HOLD = terms.windowSeconds + clocksSeconds;
        NOTICE = terms.noticeSeconds;
        PENALTY = terms.penalty;
        court = new Court(
            IPaymentChannels(address(this)),
            settlementToken,
            referee,
            terms.bond,
            terms.payeeClockSeconds,
            terms.challengerClockSeconds,
            terms.slotStepSeconds,
            terms.floorSeconds
        );
    }

    /* STAKE */

    /// @inheritdoc IAccounts
    function stake(uint96 amount) external nonReentrant {
        if (amount == 0) revert ZeroAmount();

        uint96 total = _stakes[msg.sender].amount + amount;
        _stakes[msg.sender].amount = total;

        emit Staked(msg.sender, amount, total);

        token.safeTransferFrom(msg.sender, address(this), amount);
    }

    /// @inheritdoc IAccounts
    function startUnbond(uint96 amount) external {
        Stake storage account = _stakes[msg.sender];
        if (amount > account.amount) revert StakeTooLow(account.amount, amount);

        uint40 releasedAt = (block.timestamp + HOLD + 1).toUint40();
        account.unbonding = amount;
        account.releasedAt = releasedAt;

        emit UnbondStarted(msg.sender, amount, releasedAt);
    }

    /// @inheritdoc IAccounts
    function finishUnbond() external nonReentrant returns (uint256 amount) {
        Stake storage account = _stakes[msg.sender];
        amount = account.unbonding;
        if (amount == 0) revert NothingUnbonding(msg.sender);
        if (block.timestamp < account.releasedAt) revert TooEarly(account.releasedAt);
        uint256 challenges = court.openChallenges(msg.sender);
        if (challenges > 0) revert ChallengesOpen(challenges);

        uint96 left = account.amount - uint96(amount); // unbonding <= amount at all times
        account.amount = left;
        account.unbonding = 0;
        account.releasedAt = 0;

        emit Unbonded(msg.sender, amount, left);

        token.safeTransfer(msg.sender, amount);
    }

    /// @inheritdoc IAccounts
    function convict(address payee, address challenger, bytes32 channelId) external returns (uint256 taken) {
        if (msg.sender != address(court)) revert NotAllowed(msg.sender);

        // all held income is burnt, none shared: a liar would convict itself to get a part of it past the hold
        (Income memory income, uint96 released) = _rolled(payee);
        uint256 burnt = uint256(income.previous) + income.current;
        (income.previous, income.current) = (0, 0);
        _incomes[payee] = income;
        if (released > 0) _ready[payee] += released;
        taken = Math.min(PENALTY, _stakes[payee].amount);
        if (taken > 0) _takeStake(payee, uint96(taken)); // at most the stake
        uint256 part = taken / CONVICTION_PARTS;
        _credits[challenger] += part;
        _compensations[channelId] += part;
        burnt += taken - 2 * part;

        emit Convicted(payee, challenger, channelId, taken, burnt);
    }

    /* INCOME */

    /// @inheritdoc IAccounts
    function collect(address payee) external nonReentrant returns (uint256 amount) {
        (Income memory income, uint96 released) = _rolled(payee);
        amount = _ready[payee] + released;
        if (amount == 0) return 0;

        _incomes[payee] = income;
        _ready[payee] = 0;

        emit Collected(payee, amount);

        token.safeTransfer(payee, amount);
    }

    /// @inheritdoc IAccounts
    function withdraw() external nonReentrant returns (uint256 amount) {
        amount = _credits[msg.sender];
        if (amount == 0) return 0;

        _credits[msg.sender] = 0;

        emit CreditWithdrawn(msg.sender, amount);

        token.safeTransfer(msg.sender, amount);
    }

    /* OPERATORS */

    /// @inheritdoc IAccounts
    function setOperator(address key, bool allowed) external {
        if (key == address(0)) revert ZeroAddress();
        uint40 until = _answerableUntil[msg.sender][key];
        if (allowed == (until == FOREVER)) return; // a withdrawal that is repeated must not lengthen what the key answers for

        until = allowed ? FOREVER : (block.timestamp + HOLD).toUint40();
        _answerableUntil[msg.sender][key] = until;

        emit OperatorSet(msg.sender, key, until);
    }

    /// @inheritdoc IAccounts
    function answerableUntil(address payee, address key) public view returns (uint40) {
        return key == payee ? FOREVER : _answerableUntil[payee][key];
    }

    /* VIEWS */

    /// @inheritdoc IAccounts
    function stakeOf(address payee) external view returns (Stake memory) {
        return _stakes[payee];
    }

    /// @inheritdoc IAccounts
    function incomeOf(address payee) external view returns (uint96 held, uint96 ready) {
        (Income memory income, uint96 released) = _rolled(payee);
        return (income.current + income.previous, _ready[payee] + released);
    }

    /// @inheritdoc IAccounts
    function compensationOf(bytes32 channelId) external view returns (uint256) {
        return _compensations[channelId];
    }

    /// @inheritdoc IAccounts
    function creditOf(address account) external view returns (uint256) {
        return _credits[account];
    }

    /* INTERNAL */

    function _mayAct(address payee, address key) internal view returns (bool) {
        return answerableUntil(payee, key) == FOREVER;
    }

    /// @dev Reverts unless an Answer signed by `key` that names `until` binds `payee` today.
    function _requireAnswerable(address payee, address key, uint256 until) internal view {
        uint256 last = answerableUntil(payee, key);
        // 0: never an operator, so that `until` = 0 must not pass for it. NOTICE after `last` all that was signed in time
        // has been redeemed or left: whoever comes later has found an old key, and dates his answers back.
        if (last == 0 || until > last || block.timestamp > last + NOTICE) revert NotAllowed(key);
    }

    function _credit(address account, uint256 amount) internal {
        _credits[account] += amount;
    }

    /// @dev Credits `payer`, whose channel it is, what has been set aside for `channelId`.
    function _creditCompensation(bytes32 channelId, address payer) internal returns (uint256 amount) {
        amount = _compensations[channelId];
        _compensations[channelId] = 0;
        _credit(payer, amount);
    }

    function _addReady(address payee, uint256 amount) internal {
        _ready[payee] += amount.toUint96();
    }

    function _addHeld(address payee, uint256 amount) internal {
        (Income memory income, uint96 released) = _rolled(payee);
        income.current += amount.toUint96();
        _incomes[payee] = income;
        if (released > 0) _ready[payee] += released;
    }

    /// @dev Takes an even amount of at most `wanted`, which is even, out of held income (the older first) and then
    ///      stake. What is taken belongs to nobody until the caller pays it to somebody.
    function _takeHeldThenStake(address payee, uint256 wanted) internal returns (uint256 taken) {
        (Income memory income, uint96 released) = _rolled(payee);
        uint256 held = uint256(income.previous) + income.current;
        uint256 have = held < wanted ? held + _stakes[payee].amount : held;
        taken = Math.min(wanted, have) & ~uint256(1);
        if (taken == 0) revert StakeTooLow(have, wanted);

        // each part is at most the uint96 that it is taken from, and together they are `taken`
        uint96 fromPrevious = uint96(Math.min(taken, income.previous));
        uint96 fromCurrent = uint96(Math.min(taken - fromPrevious, income.current));
        income.previous -= fromPrevious;
        income.current -= fromCurrent;
        _incomes[payee] = income;
        if (released > 0) _ready[payee] += released;
        uint256 fromStake = taken - fromPrevious - fromCurrent;
        if (fromStake > 0) _takeStake(payee, uint96(fromStake));
    }

    /// @dev What is unbonding is the last to be taken.
    function _takeStake(address payee, uint96 amount) internal {
        Stake memory account = _stakes[payee];
        account.amount -= amount;
        if (account.unbonding > account.amount) account.unbonding = account.amount;
        _stakes[payee] = account;

        emit StakeTaken(payee, amount, account.amount, account.unbonding);
    }

    /// @dev The held income as of now, and what has left the hold since it was last stored.
    function _rolled(address payee) private view returns (Income memory income, uint96 released) {
        income = _incomes[payee];
        uint64 epoch = uint64(block.timestamp / HOLD);
        if (epoch == income.epoch) return (income, 0);

        released = income.previous;
        income.previous = income.current;
        if (epoch - income.epoch > 1) {
            released += income.previous;
            income.previous = 0;
        }
        income.current = 0;
        income.epoch = epoch;
    }
}
