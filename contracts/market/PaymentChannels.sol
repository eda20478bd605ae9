// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IReferee} from "../court/IReferee.sol";
import {Accounts} from "./Accounts.sol";
import {Terms} from "./IAccounts.sol";
import {IModelRegistry} from "./IModelRegistry.sol";
import {Balance, Exit, IPaymentChannels, Row, Status} from "./IPaymentChannels.sol";
import {IReceiveWithAuthorization} from "./IReceiveWithAuthorization.sol";
import {Answer, Channel, TypedData} from "./TypedData.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {Multicall} from "@openzeppelin/contracts/utils/Multicall.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {MessageHashUtils} from "@openzeppelin/contracts/utils/cryptography/MessageHashUtils.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";

/// @title PaymentChannels
/// @notice One escrow for each payer, payee, model and salt, drained by the payer's cumulative vouchers.
/// @dev Invariant: token balance = deposits not redeemed + stakes + held and ready income + credits + compensations
///      + models' income + what was burnt, which is credited to nobody and stays here.
contract PaymentChannels is IPaymentChannels, Accounts, EIP712, Multicall {
    using SafeERC20 for IERC20;
    using SafeCast for uint256;

    /* CONSTANTS */

    uint256 private constant BPS = 10_000;
    uint80 private constant PROVED = type(uint80).max;

    /* STORAGE */

    mapping(bytes32 id => Balance) private _balances;
    mapping(bytes32 id => Exit) private _exits;
    mapping(uint256 model => uint256) private _modelIncomes;

    constructor(
        IERC20 settlementToken,
        IModelRegistry modelRegistry,
        IReferee referee,
        Terms memory terms
    ) Accounts(settlementToken, modelRegistry, referee, terms) EIP712("Foldmark", "1") {}

    /* MONEY IN */

    /// @inheritdoc IPaymentChannels
    function deposit(Channel calldata c, uint96 amount) external nonReentrant returns (bytes32 id) {
        id = _addDeposit(c, amount);

        token.safeTransferFrom(msg.sender, address(this), amount);
    }

    /// @inheritdoc IPaymentChannels
    function depositWithAuthorization(
        Channel calldata c,
        uint96 amount,
        uint256 validAfter,
        uint256 validBefore,
        bytes32 salt,
        bytes calldata signature
    ) external nonReentrant returns (bytes32 id) {
        id = _addDeposit(c, amount);

        // a token that lacks the function but has a fallback would take the call and pay nothing
        uint256 before = token.balanceOf(address(this));
        IReceiveWithAuthorization(address(token))
            .receiveWithAuthorization(
                c.payer, address(this), amount, validAfter, validBefore, keccak256(abi.encode(id, salt)), signature
            );
        uint256 got = token.balanceOf(address(this)) - before;
        if (got != amount) revert NotPaid(got, amount);
    }

    /* MONEY EARNED */

    /// @inheritdoc IPaymentChannels
    function redeem(
        address payee,
        uint256 model,
        Row[] calldata rows
    ) external returns (Status[] memory statuses, uint256 total) {
        if (!_mayAct(payee, msg.sender)) revert NotAllowed(msg.sender);

        bytes32 domain = _domainSeparatorV4();
        statuses = new Status[](rows.length);
        for (uint256 i = 0; i < rows.length; ++i) {
            uint256 paid;
            (statuses[i], paid) = _redeemRow(domain, payee, model, rows[i]);
            total += paid;
        }
        // nothing was paid for a model that is unknown: no channel for it has a deposit
        if (total > 0) _split(payee, model, total);
    }

    /// @inheritdoc IPaymentChannels
    function pay(address payee, uint256 model, uint96 amount) external nonReentrant {
        if (payee == address(0)) revert BadTerms();
        if (amount == 0) revert ZeroAmount();
        _requireModel(model);

        _split(payee, model, amount);

        token.safeTransferFrom(msg.sender, address(this), amount);
    }

    /// @inheritdoc IPaymentChannels
    function takeModelIncome(uint256 model) external returns (uint256 toOwner) {
        uint256 income = _modelIncomes[model];
        if (income == 0) return 0;
        (uint256[] memory parents, uint16[] memory sharesBps) = models.parentsOf(model);
        address owner = models.ownerOf(model);

        _modelIncomes[model] = 0;
        toOwner = income;
        for (uint256 i = 0; i < parents.length; ++i) {
            uint256 share = income * sharesBps[i] / BPS; // rounded down, the rest is the owner's
            _modelIncomes[parents[i]] += share;
            toOwner -= share; // the registry bounds the sum of shares by 10,000
        }
        _credit(owner, toOwner);

        emit ModelIncomeTaken(model, owner, toOwner, income - toOwner);
    }

    /* MONEY BACK */

    /// @inheritdoc IPaymentChannels
    function startExit(Channel calldata c, uint96 amount) external {
        if (msg.sender != c.payer) revert NotAllowed(msg.sender);
        bytes32 id = channelIdOf(c);
        Balance storage balance = _balances[id];
        uint96 left = balance.deposit - balance.redeemed;
        // an exit that was asked for while nothing was there must not wait for a later deposit
        if (left == 0) revert NothingToExit();

        uint96 asked = amount < left ? amount : left;
        uint40 readyAt = (block.timestamp + NOTICE).toUint40();
        _exits[id] = Exit({amount: asked, readyAt: readyAt});

        emit ExitStarted(id, asked, readyAt);
    }

    /// @inheritdoc IPaymentChannels
    function finishExit(Channel calldata c) external nonReentrant returns (uint256 amount) {
        bytes32 id = channelIdOf(c);
        Exit memory exit = _exits[id];
        if (exit.amount == 0) revert NothingToExit();
        if (block.timestamp < exit.readyAt) revert TooEarly(exit.readyAt);

        Balance storage balance = _balances[id];
        uint88 balanceDeposit = balance.deposit;
        amount = Math.min(exit.amount, balanceDeposit - balance.redeemed);
        balance.deposit = balanceDeposit - uint88(amount); // amount <= deposit
        delete _exits[id];

        emit Exited(id, amount);

        if (amount > 0) token.safeTransfer(c.payer, amount);
    }

    /* WRONGS */

    /// @inheritdoc IPaymentChannels
    function proveOvercharge(
        Channel calldata c,
        Answer calldata a,
        bytes32 r,
        bytes32 vs
    ) external nonReentrant returns (uint256 paid) {
        bytes32 id = channelIdOf(c);
        Balance memory balance = _balances[id];
        if (a.payee != c.payee || a.channelId != id) revert NotOvercharged();
        if (balance.slack == PROVED) revert NotOvercharged();
        if (a.maxClaimableAmount != uint256(balance.redeemed) + balance.slack) revert NotOvercharged();
        if (a.charged >= balance.redeemed) revert NotOvercharged();
        bytes32 digest = _hashTypedDataV4(
            TypedData.answerHash(a.payee, a.statementId, a.channelId, a.maxClaimableAmount, a.charged, a.until)
        );
        _requireAnswerable(a.payee, ECDSA.recover(digest, r, vs), a.until);

        uint256 excess = balance.redeemed - a.charged;
        _balances[id].slack = PROVED;
        // taken is even, so that what is burnt is never less than what is paid: nobody gains by overcharging himself
        paid = _takeHeldThenStake(a.payee, 2 * excess) / 2;

        emit Overcharged(id, a.payee, excess, paid);

        token.safeTransfer(c.payer, paid);
    }

    /// @inheritdoc IPaymentChannels
    function takeCompensation(Channel calldata c) external returns (uint256 amount) {
        bytes32 id = channelIdOf(c);
        amount = _creditCompensation(id, c.payer);
        if (amount == 0) return 0;

        emit CompensationCredited(id, c.payer, amount);
    }

    /* VIEWS */

    /// @inheritdoc IPaymentChannels
    function channelIdOf(Channel calldata c) public view returns (bytes32) {
        return _hashTypedDataV4(TypedData.channelHash(c.payer, c.signer, c.payee, c.model, c.salt));
    }

    /// @inheritdoc IPaymentChannels
    function balanceOf(bytes32 id) external view returns (Balance memory) {
        return _balances[id];
    }

    /// @inheritdoc IPaymentChannels
    function exitOf(bytes32 id) external view returns (Exit memory) {
        return _exits[id];
    }

    /// @inheritdoc IPaymentChannels
    function modelIncomeOf(uint256 model) external view returns (uint256) {
        return _modelIncomes[model];
    }

    /// @inheritdoc IPaymentChannels
    function DOMAIN_SEPARATOR() external view returns (bytes32) {
        return _domainSeparatorV4();
    }

    /* INTERNAL */

    function _addDeposit(Channel calldata c, uint96 amount) private returns (bytes32 id) {
        if (c.payer == address(0) || c.signer == address(0) || c.payee == address(0)) revert BadTerms();
        if (amount == 0) revert ZeroAmount();
        id = channelIdOf(c);
        Balance storage balance = _balances[id];
        uint256 before = balance.deposit;
        if (before == 0) _requireModel(c.model); // a model that is known stays known
        uint256 total = before + amount;
        if (total > type(uint88).max) revert AmountTooLarge(amount);

        balance.deposit = uint88(total);

        if (before == 0) emit Opened(id, c.payer, c.payee, c.model, c.signer, c.salt);
        emit Deposited(id, amount, total);
    }

    function _redeemRow(
        bytes32 domain,
        address payee,
        uint256 model,
        Row calldata row
    ) private returns (Status status, uint256 paid) {
        bytes32 id = MessageHashUtils.toTypedDataHash(
            domain, TypedData.channelHash(row.payer, row.signer, payee, model, row.salt)
        );
        Balance memory balance = _balances[id];
        uint128 ceiling = row.maxClaimableAmount;
        uint256 amount = row.amount;
        if (amount > ceiling) {
            status = Status.OverCeiling;
        } else {
            if (amount > balance.deposit) (amount, status) = (balance.deposit, Status.Clipped);
            if (amount <= balance.redeemed && row.signer != address(0)) {
                status = Status.Stale;
            } else if (!_signed(domain, row.signer, id, ceiling, row.r, row.vs)) {
                status = Status.BadSignature;
            } else if (ceiling - amount >= PROVED) {
                status = Status.SlackTooLarge;
            } else {
                paid = amount - balance.redeemed;
                balance.redeemed = uint88(amount); // amount <= deposit
                balance.slack = uint80(ceiling - amount); // below PROVED
                _balances[id] = balance;
            }
        }

        emit Redeemed(id, paid, balance.redeemed, ceiling, status);
    }

    /// @dev Recovers by ECDSA only. A signature that recovers to nobody never counts, also not for a zero signer.
    function _signed(
        bytes32 domain,
        address signer,
        bytes32 id,
        uint128 ceiling,
        bytes32 r,
        bytes32 vs
    ) private pure returns (bool) {
        bytes32 digest = MessageHashUtils.toTypedDataHash(domain, TypedData.voucherHash(id, ceiling));
        (address recovered, ECDSA.RecoverError failure,) = ECDSA.tryRecover(digest, r, vs);
        return failure == ECDSA.RecoverError.NoError && recovered == signer;
    }

    function _split(address payee, uint256 model, uint256 total) private {
        uint256 royalty = 0;
        if (model == 0) {
            _addReady(payee, total);
        } else {
            royalty = total * models.royaltyBps(model) / BPS; // rounded down, in favour of the payee
            if (royalty > 0) _modelIncomes[model] += royalty;
            _addHeld(payee, total - royalty);
        }

        emit Split(payee, model, total, royalty);
    }

    function _requireModel(uint256 model) private view {
        if (model != 0 && !models.isRegistered(model)) revert UnknownModel(model);
    }
}
