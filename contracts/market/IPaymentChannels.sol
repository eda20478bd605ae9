// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IAccounts} from "./IAccounts.sol";
import {Answer, Channel} from "./TypedData.sol";

/// @notice The money of a channel, in one slot.
struct Balance {
    uint88 deposit; //  all that was ever paid in, less what exits took out
    uint88 redeemed; // all that was ever paid out to the payee; at most `deposit`
    uint80 slack; //    ceiling of the voucher last redeemed - redeemed; the largest value: overcharge already proved
}

/// @notice A payer's wish to leave.
struct Exit {
    uint96 amount; //  0: none pending
    uint40 readyAt; // unix seconds
}

/// @notice One voucher to redeem. Payee and model are those of the batch.
struct Row {
    address payer;
    address signer;
    bytes32 salt;
    uint128 maxClaimableAmount; // the voucher's ceiling
    uint128 amount; //             what was charged on the channel in all, at most the ceiling
    bytes32 r; //                  the signer's signature of the voucher
    bytes32 vs; //                 as of EIP-2098
}

/// @notice What became of a row. The checks are made in the order OverCeiling, Stale, BadSignature, SlackTooLarge.
enum Status {
    Redeemed, //      paid in full
    Clipped, //       paid up to the deposit
    Stale, //         nothing left to pay: redeemed before, or nothing deposited
    OverCeiling, //   amount above the voucher's ceiling
    BadSignature, //  not the signer's; always so for a zero signer
    SlackTooLarge //  the ceiling is so far above what is paid that it cannot be stored
}

/// @title IPaymentChannels
/// @notice Deposits from which a payee draws by a payer's cumulative vouchers, with royalties for models and a hold on
///         income while answers can still be challenged.
/// @dev Amounts are base units of `token`. Nobody has a key to anybody else's money: each function pays only the account
///      that the money was already going to. The EIP-712 domain is name "Foldmark", version "1".
interface IPaymentChannels is IAccounts {
    /// @notice A channel got its first deposit (again, if an exit had emptied it before anything was redeemed).
    event Opened(
        bytes32 indexed id, address indexed payer, address indexed payee, uint256 model, address signer, bytes32 salt
    );
    /// @notice `amount` was paid in, the channel's deposit is now `deposit`.
    event Deposited(bytes32 indexed id, uint256 amount, uint256 deposit);
    /// @notice What became of a row, also of one that paid nothing. `redeemed` is the channel's total, `ceiling` the row's.
    event Redeemed(bytes32 indexed id, uint256 amount, uint256 redeemed, uint256 ceiling, Status status);
    /// @notice `total` was earned with `model`; `royalty` of it is the model's, the rest the payee's.
    event Split(address indexed payee, uint256 indexed model, uint256 total, uint256 royalty);
    /// @notice `amount` can leave from `readyAt` on; 0 cancels.
    event ExitStarted(bytes32 indexed id, uint256 amount, uint256 readyAt);
    /// @notice `amount` was paid back to the payer; the channel's deposit is lower by it.
    event Exited(bytes32 indexed id, uint256 amount);
    /// @notice The payee had redeemed `excess` too much; `paid` went to the payer and as much again was burnt.
    event Overcharged(bytes32 indexed id, address indexed payee, uint256 excess, uint256 paid);
    /// @notice What convictions had set aside for the channel was credited to its payer.
    event CompensationCredited(bytes32 indexed id, address indexed payer, uint256 amount);
    /// @notice Income of `model` was credited: `toParents` to its parents' income, `toOwner` to `owner`.
    event ModelIncomeTaken(uint256 indexed model, address indexed owner, uint256 toOwner, uint256 toParents);

    /// @notice Payer, signer or payee is the zero address.
    error BadTerms();
    error UnknownModel(uint256 model);
    /// @notice The deposit no longer fits the channel's slot.
    error AmountTooLarge(uint256 amount);
    /// @notice The token took the authorization but did not pay.
    error NotPaid(uint256 got, uint256 want);
    error NothingToExit();
    error NotOvercharged();

    /// @notice Pays `amount` into the channel with terms `c`, from the caller's allowance. Anyone may fund any channel.
    /// @dev Warning: what the caller deposits belongs to `c.payer`. Vouchers never expire: a deposit into a channel that
    ///      was used before also covers its old vouchers.
    function deposit(Channel calldata c, uint96 amount) external returns (bytes32 id);

    /// @notice Pays `amount` into the channel from `c.payer`, by its signed ERC-3009 authorization, brought by anyone.
    /// @dev The authorization's nonce is keccak256(abi.encode(id, salt)): it can fund no other channel.
    /// @param salt Tells apart the payer's authorizations for this channel.
    /// @param signature Whatever the token accepts, contract signatures included.
    function depositWithAuthorization(
        Channel calldata c,
        uint96 amount,
        uint256 validAfter,
        uint256 validBefore,
        bytes32 salt,
        bytes calldata signature
    ) external returns (bytes32 id);

    /// @notice Redeems vouchers of channels to `payee` for `model`. The caller is the payee or its operator. A row that
    ///         cannot be paid is skipped and says why; it never stops the others.
    /// @dev Pays amount - redeemed for each row, at most the deposit. Only ECDSA signatures by `signer` count.
    ///      Warning for payees: redeem no more under a ceiling than your Answer for it says, else `proveOvercharge`.
    /// @return statuses One for each row.
    /// @return total What the rows paid, before the split.
    function redeem(
        address payee,
        uint256 model,
        Row[] calldata rows
    ) external returns (Status[] memory statuses, uint256 total);

    /// @notice Pays `amount` from the caller's allowance to `payee` for `model`, split and held as if redeemed.
    function pay(address payee, uint256 model, uint96 amount) external;

    /// @notice Shares out what `model` has earned: to each parent's income its share, rounded down, and the rest as
    ///         credit to the model's owner. Anyone may call it; no token moves.
    /// @return toOwner What was credited to the owner.
    function takeModelIncome(uint256 model) external returns (uint256 toOwner);

    /// @notice Asks for `amount` (or what is left, if less) of the caller's deposit. Vouchers can be redeemed until the
    ///         notice is over and the exit is finished. A second call replaces the first and restarts the notice.
    /// @dev Warning for payees: redeem when you see `ExitStarted`.
    function startExit(Channel calldata c, uint96 amount) external;

    /// @notice Pays the payer min(amount asked for, deposit - redeemed) once the notice is over. Anyone may call it.
    function finishExit(Channel calldata c) external returns (uint256 amount);

    /// @notice Shows that the payee redeemed more than its own signed Answer charged under the same ceiling. The payer
    ///         gets the excess and as much again is burnt, both out of the payee's held income, then its stake; if
    ///         these hold less than twice the excess, half of what they hold. Once for each redemption. Anyone may call it.
    /// @dev The Answer must be signed by the payee or a key that answers for it until `a.until`, and name exactly the
    ///      ceiling last redeemed with. An Answer of a withdrawn key is taken until NOTICE after the last `until` that the
    ///      key answers for: time enough to exit from a payee that has not redeemed by then.
    function proveOvercharge(
        Channel calldata c,
        Answer calldata a,
        bytes32 r,
        bytes32 vs
    ) external returns (uint256 paid);

    /// @notice Credits the payer of `c` what convictions have set aside for it. Anyone may call it, at any time.
    function takeCompensation(Channel calldata c) external returns (uint256 amount);

    /// @notice The id of a channel: the EIP-712 digest of its terms.
    function channelIdOf(Channel calldata c) external view returns (bytes32);

    function balanceOf(bytes32 id) external view returns (Balance memory);

    function exitOf(bytes32 id) external view returns (Exit memory);

    /// @notice What `model` has earned and `takeModelIncome` has not yet shared out.
    function modelIncomeOf(uint256 model) external view returns (uint256);

    function DOMAIN_SEPARATOR() external view returns (bytes32);
}
