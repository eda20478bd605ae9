// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Stake} from "../market/IAccounts.sol";
import {Parent, Registration} from "../market/IModelRegistry.sol";
import {Balance, Exit, Row, Status} from "../market/IPaymentChannels.sol";
import {Answer, Channel} from "../market/TypedData.sol";
import {MarketTest} from "./MarketTest.t.sol";

/// @title MarketHandler
/// @notice A market in which random people do random things, for invariant runs. Calls that must fail are made too; what
///         must hold after every call is read from the views at the end.
contract MarketHandler is MarketTest {
    uint256 private constant CHANNELS = 6;
    uint96 private constant MOST = 100 * TUSD;

    address public constant THIEF = address(0x741EF);
    uint256 private constant THIEF_KEY = 0x741EF;
    address private constant CHALLENGER = address(0xC4A1);
    address private constant TUNER = address(0x7E4E4);

    /// @notice What has been credited to nobody.
    uint256 public burnt;
    /// @notice What each channel has paid out, by what `redeem` returned.
    mapping(bytes32 id => uint256) public paidOf;
    /// @notice The highest ceiling that a payer has signed.
    mapping(bytes32 id => uint256) public highestCeilingOf;

    uint256 private _child;
    address[2] private _payees;
    Channel[] private _channels;
    uint256 private _nonce;

    function setUp() public override {
        super.setUp();
        Registration memory r = _aRegistration(2);
        r.parents = new Parent[](1);
        r.parents[0] = Parent(model, 3_333);
        _child = _register(TUNER, r);
        _payees = [payee, operator];
        _fund(operator, 1_000 * TUSD);
        _fund(payer, 1e18);
        for (uint256 i = 0; i < CHANNELS; ++i) {
            Channel memory c = _aChannel();
            c.payee = _payees[i % 2];
            c.model = i % 3 == 0 ? model : i % 3 == 1 ? _child : 0;
            _channels.push(c);
        }
    }

    function selectors() external pure returns (bytes4[] memory all) {
        all = new bytes4[](17);
        all[0] = this.deposit.selector;
        all[1] = this.depositWithAuthorization.selector;
        all[2] = this.redeemBatch.selector;
        all[3] = this.redeemBatch.selector; // twice as often as the rest
        all[4] = this.pay.selector;
        all[5] = this.startExit.selector;
        all[6] = this.finishExit.selector;
        all[7] = this.proveOvercharge.selector;
        all[8] = this.stake.selector;
        all[9] = this.startUnbond.selector;
        all[10] = this.finishUnbond.selector;
        all[11] = this.collect.selector;
        all[12] = this.takeModelIncome.selector;
        all[13] = this.withdraw.selector;
        all[14] = this.warp.selector;
        all[15] = this.steal.selector;
        all[16] = this.convict.selector;
    }

    /* WHAT PEOPLE DO */

    function deposit(uint256 which, uint96 amount) external {
        _deposit(_channel(which), _amount(amount));
    }

    function depositWithAuthorization(uint256 which, uint96 amount) external {
        Channel memory c = _channel(which);
        amount = _amount(amount);
        bytes32 salt = bytes32(++_nonce);
        channels.depositWithAuthorization(c, amount, 0, type(uint256).max, salt, _authorization(c, amount, salt));
    }

    /// @notice A batch of three rows for channels of one payee and model, each of a random kind.
    function redeemBatch(uint256 which, uint256[3] calldata kinds, uint96[3] calldata amounts) external {
        Row[] memory rows = new Row[](3);
        Channel memory c = _channel(which);
        bytes32 id = channels.channelIdOf(c);
        uint256 before = channels.balanceOf(id).redeemed;
        for (uint256 i = 0; i < 3; ++i) {
            rows[i] = _row(kinds[i] % 7, c, channels.balanceOf(id), _amount(amounts[i]));
        }

        vm.prank(c.payee);
        (Status[] memory statuses, uint256 total) = channels.redeem(c.payee, c.model, rows);

        paidOf[id] += total;
        vm.assertEq(channels.balanceOf(id).redeemed - before, total, "the batch's total is what the channel paid");
        for (uint256 i = 0; i < 3; ++i) {
            uint256 kind = kinds[i] % 7;
            bool paid = statuses[i] == Status.Redeemed || statuses[i] == Status.Clipped;
            if (kind >= 3) vm.assertTrue(!paid, "a row that must not be paid was paid");
        }
    }

    function pay(uint256 which, uint96 amount) external {
        Channel memory c = _channel(which);
        vm.prank(payer);
        channels.pay(c.payee, c.model, _amount(amount));
    }

    function startExit(uint256 which, uint96 amount) external {
        Channel memory c = _channel(which);
        Balance memory balance = channels.balanceOf(channels.channelIdOf(c));
        if (balance.deposit == balance.redeemed) return;
        vm.prank(payer);
        channels.startExit(c, amount);
    }

    function finishExit(uint256 which) external {
        Channel memory c = _channel(which);
        Exit memory exit = channels.exitOf(channels.channelIdOf(c));
        if (exit.amount == 0) return;
        if (block.timestamp < exit.readyAt) vm.warp(exit.readyAt);
        uint256 before = token.balanceOf(payer);
        uint256 amount = channels.finishExit(c);
        vm.assertEq(token.balanceOf(payer) - before, amount, "an exit pays the payer");
    }

    function proveOvercharge(uint256 which, uint96 charged) external {
        Channel memory c = _channel(which);
        Balance memory balance = channels.balanceOf(channels.channelIdOf(c));
        (uint96 held,) = channels.incomeOf(c.payee);
        if (balance.redeemed == 0 || balance.slack == type(uint80).max) return;
        if (uint256(held) + channels.stakeOf(c.payee).amount < 2) return;
        charged = uint96(_bound(charged, 0, balance.redeemed - 1));
        Answer memory a = _anAnswer(c, uint128(balance.redeemed) + balance.slack, charged);
        (bytes32 r, bytes32 vs) = _signAnswer(c.payee == payee ? PAYEE_KEY : OPERATOR_KEY, a);
        burnt += channels.proveOvercharge(c, a, r, vs);
    }

    /// @notice The court's verdict, as the contract sees it; the game before it has tests of its own.
    function convict(uint256 which) external {
        Channel memory c = _channel(which);
        (uint96 held, uint96 ready) = channels.incomeOf(c.payee);
        uint256 staked = channels.stakeOf(c.payee).amount;
        bytes32 id = channels.channelIdOf(c);
        vm.prank(address(court));
        uint256 taken = channels.convict(c.payee, CHALLENGER, id);
        vm.assertEq(taken, staked < PENALTY ? staked : PENALTY, "the penalty, or what there was");
        (uint96 heldAfter, uint96 readyAfter) = channels.incomeOf(c.payee);
        vm.assertEq(heldAfter, 0, "held income");
        vm.assertEq(readyAfter, ready, "ready income is out of reach");
        burnt += held + taken - 2 * (taken / 4);
        if (which % 2 == 0) channels.takeCompensation(c);
    }

    function stake(uint256 which, uint96 amount) external {
        address account = _payees[which % 2];
        amount = _amount(amount);
        token.mint(account, amount);
        vm.prank(account);
        channels.stake(amount);
    }

    function startUnbond(uint256 which, uint96 amount) external {
        address account = _payees[which % 2];
        amount = uint96(_bound(amount, 0, channels.stakeOf(account).amount));
        vm.prank(account);
        channels.startUnbond(amount);
    }

    function finishUnbond(uint256 which) external {
        address account = _payees[which % 2];
        Stake memory staked = channels.stakeOf(account);
        if (staked.unbonding == 0) return;
        if (block.timestamp < staked.releasedAt) vm.warp(staked.releasedAt);
        vm.prank(account);
        channels.finishUnbond();
    }

    function collect(uint256 which) external {
        channels.collect(_payees[which % 2]);
    }

    function takeModelIncome(uint256 which) external {
        channels.takeModelIncome(which % 2 == 0 ? model : _child);
    }

    function withdraw(uint256 which) external {
        vm.prank([author, TUNER, CHALLENGER, payer][which % 4]);
        channels.withdraw();
    }

    function warp(uint256 secondsLater) external {
        vm.warp(block.timestamp + _bound(secondsLater, 1, 2 * HOLD));
    }

    /// @notice Somebody without rights tries everything. Whether a call fails is his business, his gain is ours.
    function steal(uint256 which, uint96 amount, uint64 until) external {
        Channel memory c = _channel(which);
        Balance memory balance = channels.balanceOf(channels.channelIdOf(c));
        Row[] memory rows = new Row[](1);
        rows[0] = _row(0, c, balance, 1);
        Answer memory a = _anAnswer(c, uint128(balance.redeemed) + balance.slack, 0);
        a.until = until % 4 == 0 ? 0 : until;
        (bytes32 r, bytes32 vs) = _signAnswer(THIEF_KEY, a);
        bytes[9] memory calls = [
            abi.encodeCall(channels.redeem, (c.payee, c.model, rows)),
            abi.encodeCall(channels.redeem, (THIEF, c.model, rows)),
            abi.encodeCall(channels.startExit, (c, amount)),
            abi.encodeCall(channels.finishExit, (c)),
            abi.encodeCall(channels.finishUnbond, ()),
            abi.encodeCall(channels.startUnbond, (amount)),
            abi.encodeCall(channels.withdraw, ()),
            abi.encodeCall(channels.collect, (THIEF)),
            abi.encodeCall(channels.proveOvercharge, (c, a, r, vs))
        ];
        for (uint256 i = 0; i < calls.length; ++i) {
            if (i == 3) continue; // finishing somebody's exit is allowed and pays that somebody
            vm.prank(THIEF);
            (bool done,) = address(channels).call(calls[i]);
            if (i == 0 || i == 2 || i == 8) vm.assertTrue(!done, "a stranger acted for somebody else");
        }
    }

    /* WHAT MUST ADD UP */

    function tokensHeld() external view returns (uint256) {
        return token.balanceOf(address(channels));
    }

    function tokensOf(address account) external view returns (uint256) {
        return token.balanceOf(account);
    }

    /// @notice Everything that the contract owes to somebody.
    function owed() external view returns (uint256 sum) {
        for (uint256 i = 0; i < CHANNELS; ++i) {
            Balance memory balance = channels.balanceOf(channels.channelIdOf(_channels[i]));
            sum += balance.deposit - balance.redeemed;
            sum += channels.compensationOf(channels.channelIdOf(_channels[i]));
        }
        for (uint256 i = 0; i < 2; ++i) {
            (uint96 held, uint96 ready) = channels.incomeOf(_payees[i]);
            sum += uint256(held) + ready + channels.stakeOf(_payees[i]).amount;
        }
        sum += channels.creditOf(author) + channels.creditOf(TUNER);
        sum += channels.creditOf(CHALLENGER) + channels.creditOf(payer);
        sum += channels.modelIncomeOf(model) + channels.modelIncomeOf(_child);
    }

    function requireBounds() external view {
        for (uint256 i = 0; i < CHANNELS; ++i) {
            bytes32 id = channels.channelIdOf(_channels[i]);
            Balance memory balance = channels.balanceOf(id);
            vm.assertLe(balance.redeemed, balance.deposit, "redeemed <= deposit");
            vm.assertEq(balance.redeemed, paidOf[id], "what was paid is what is marked redeemed");
            vm.assertLe(balance.redeemed, highestCeilingOf[id], "never more than the payer signed");
        }
        for (uint256 i = 0; i < 2; ++i) {
            Stake memory staked = channels.stakeOf(_payees[i]);
            vm.assertLe(staked.unbonding, staked.amount, "unbonding <= stake");
        }
    }

    /* INTERNAL */

    /// @dev Kinds 0 to 2 can be paid, as far as there is a deposit: above the last, again, up to the ceiling.
    function _row(
        uint256 kind,
        Channel memory c,
        Balance memory balance,
        uint96 amount
    ) private returns (Row memory row) {
        uint128 redeemed = balance.redeemed;
        if (kind == 0) return _signed(c, redeemed + 2 * uint128(amount), redeemed + amount);
        if (kind == 1) return _signed(c, redeemed + amount, redeemed + amount / 2);
        if (kind == 2) return _signed(c, uint128(balance.deposit) + amount, uint128(balance.deposit) + amount);
        if (kind == 3) return _signed(c, redeemed, redeemed); // stale
        if (kind == 4) return _signed(c, redeemed + amount, redeemed + amount + 1); // over the ceiling
        if (kind == 5) return _aRowSignedBy(PAYEE_KEY, c, redeemed + amount, redeemed + amount); // by the payee itself
        // further above what is paid than can be stored, also when the amount is clipped to the deposit
        return _aRow(c, redeemed + amount + type(uint80).max, redeemed + amount);
    }

    function _signed(Channel memory c, uint128 ceiling, uint128 amount) private returns (Row memory) {
        bytes32 id = channels.channelIdOf(c);
        if (ceiling > highestCeilingOf[id]) highestCeilingOf[id] = ceiling;
        return _aRow(c, ceiling, amount);
    }

    function _channel(uint256 which) private view returns (Channel memory) {
        return _channels[which % CHANNELS];
    }

    function _amount(uint96 amount) private pure returns (uint96) {
        return uint96(_bound(amount, 1, MOST));
    }
}
