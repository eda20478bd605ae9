// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IAccounts} from "./IAccounts.sol";
import {IModelRegistry} from "./IModelRegistry.sol";

enum Kind {
    Gpu,
    Cpu
}

/// @notice What an answer can be held to. Exact: a lie can be proved on chain. Reputed: audited and down-ranked only.
enum Assurance {
    Exact,
    Reputed
}

/// @notice When the voucher for a request comes. Ahead: with it. Behind: after the answer, for payers with history.
enum Mode {
    Ahead,
    Behind
}

/// @notice What a provider says it computes with. Nothing here is checked on chain.
struct Hardware {
    Kind kind;
    string device; //                     name, 1 to 128 bytes
    uint64 memoryBytes; //                of the device
    uint32 decodeMilliTokensPerSecond; // measured on one request, in thousandths of a token a second
    uint64 measuredAt; //                 unix seconds
}

/// @notice What a provider asks for one model. Prices are base units for 10^6 tokens, or 10^6 steps of a simulation.
struct Offer {
    uint128 priceIn; //     prompt tokens
    uint128 priceOut; //    answer tokens
    uint128 priceUnit; //   units of work of a program that has no tokens
    Assurance assurance;
    Mode mode;
    uint32 capacity; //     requests at a time, at least 1
}

struct Provider {
    address account;
    bool paused;
    uint64 registeredAtBlock;
    string endpoint;
    Hardware hardware;
}

struct ProviderOffer {
    address provider;
    Offer offer;
}

/// @title IProviderRegistry
/// @notice Who offers which model, where, and at what price. A provider is its address, and its stake in
///         PaymentChannels answers for it. Holds no token, and nobody can remove somebody else.
/// @dev Events carry all state. Warning: endpoints are strangers' text; connect to them as to any hostile URL.
interface IProviderRegistry {
    event ProviderRegistered(address indexed provider, string endpoint, Hardware hardware);
    event ProviderUpdated(address indexed provider, string endpoint, Hardware hardware);
    event PausedSet(address indexed provider, bool paused);
    event OfferSet(address indexed provider, uint256 indexed model, Offer offer);
    event OfferRemoved(address indexed provider, uint256 indexed model);

    error AlreadyRegistered(address provider);
    error NotRegistered(address provider);
    /// @notice `caller` is neither the provider nor its operator.
    error NotAllowed(address caller);
    error UnknownModel(uint256 model);
    error UnknownOffer(address provider, uint256 model);
    error BadLength(uint256 length, uint256 min, uint256 max);
    error ZeroCapacity();

    /// @notice Where operator keys are looked up.
    function accounts() external view returns (IAccounts);

    /// @notice Where models are looked up.
    function models() external view returns (IModelRegistry);

    /// @notice Registers the caller.
    /// @param endpoint Base URL of the provider's HTTP service, 1 to 256 bytes.
    function register(string calldata endpoint, Hardware calldata hardware) external;

    /// @notice Replaces the caller's endpoint and hardware.
    function update(string calldata endpoint, Hardware calldata hardware) external;

    /// @notice Makes an offer for a registered model, or replaces it. The provider or its operator.
    function setOffer(address provider, uint256 model, Offer calldata offer) external;

    /// @notice Withdraws an offer. The provider or its operator.
    function removeOffer(address provider, uint256 model) external;

    /// @notice Says that the provider takes no requests for now, or takes them again. The provider or its operator.
    function setPaused(address provider, bool paused) external;

    function providerOf(address provider) external view returns (Provider memory);

    function offerOf(address provider, uint256 model) external view returns (Offer memory);

    function providerCount() external view returns (uint256);

    /// @notice A page of all providers, in the order of registration.
    function providers(uint256 offset, uint256 limit) external view returns (Provider[] memory);

    function offerCount(uint256 model) external view returns (uint256);

    /// @notice A page of the offers for a model, in no order. Removing an offer moves another into its place.
    function offers(uint256 model, uint256 offset, uint256 limit) external view returns (ProviderOffer[] memory);
}
