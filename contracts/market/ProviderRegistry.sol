// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IAccounts} from "./IAccounts.sol";
import {IModelRegistry} from "./IModelRegistry.sol";
import {Hardware, IProviderRegistry, Offer, Provider, ProviderOffer} from "./IProviderRegistry.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {EnumerableSet} from "@openzeppelin/contracts/utils/structs/EnumerableSet.sol";

/// @title ProviderRegistry
/// @notice Providers and their offers.
contract ProviderRegistry is IProviderRegistry {
    using EnumerableSet for EnumerableSet.AddressSet;

    /* CONSTANTS */

    uint256 private constant MAX_ENDPOINT_BYTES = 256;
    uint256 private constant MAX_DEVICE_BYTES = 128;

    IAccounts public immutable accounts;
    IModelRegistry public immutable models;

    /* STORAGE */

    address[] private _accounts;
    mapping(address provider => Provider) private _providers;
    mapping(address provider => mapping(uint256 model => Offer)) private _offers;
    mapping(uint256 model => EnumerableSet.AddressSet) private _offering;

    /// @param channels The PaymentChannels of this market.
    constructor(IAccounts channels) {
        accounts = channels;
        models = channels.models();
    }

    /* PROVIDERS */

    /// @inheritdoc IProviderRegistry
    function register(string calldata endpoint, Hardware calldata hardware) external {
        Provider storage provider = _providers[msg.sender];
        if (provider.account != address(0)) revert AlreadyRegistered(msg.sender);
        _requireLengths(endpoint, hardware);

        provider.account = msg.sender;
        provider.registeredAtBlock = uint64(block.number);
        provider.endpoint = endpoint;
        provider.hardware = hardware;
        _accounts.push(msg.sender);

        emit ProviderRegistered(msg.sender, endpoint, hardware);
    }

    /// @inheritdoc IProviderRegistry
    function update(string calldata endpoint, Hardware calldata hardware) external {
        Provider storage provider = _registered(msg.sender);
        _requireLengths(endpoint, hardware);

        provider.endpoint = endpoint;
        provider.hardware = hardware;

        emit ProviderUpdated(msg.sender, endpoint, hardware);
    }

    /// @inheritdoc IProviderRegistry
    function setPaused(address provider, bool paused) external {
        _requireMayAct(provider);
        Provider storage account = _registered(provider);

        account.paused = paused;

        emit PausedSet(provider, paused);
    }

    /* OFFERS */

    /// @inheritdoc IProviderRegistry
    function setOffer(address provider, uint256 model, Offer calldata offer) external {
        _requireMayAct(provider);
        _registered(provider);
        if (!models.isRegistered(model)) revert UnknownModel(model);
        if (offer.capacity == 0) revert ZeroCapacity();

        _offers[provider][model] = offer;
        _offering[model].add(provider);

        emit OfferSet(provider, model, offer);
    }

    /// @inheritdoc IProviderRegistry
    function removeOffer(address provider, uint256 model) external {
        _requireMayAct(provider);
        if (!_offering[model].remove(provider)) revert UnknownOffer(provider, model);

        delete _offers[provider][model];

        emit OfferRemoved(provider, model);
    }

    /* VIEWS */

    /// @inheritdoc IProviderRegistry
    function providerOf(address provider) external view returns (Provider memory) {
        return _registered(provider);
    }

    /// @inheritdoc IProviderRegistry
    function offerOf(address provider, uint256 model) external view returns (Offer memory) {
        if (!_offering[model].contains(provider)) revert UnknownOffer(provider, model);
        return _offers[provider][model];
    }

    /// @inheritdoc IProviderRegistry
    function providerCount() external view returns (uint256) {
        return _accounts.length;
    }

    /// @inheritdoc IProviderRegistry
    function providers(uint256 offset, uint256 limit) external view returns (Provider[] memory page) {
        page = new Provider[](_pageLength(_accounts.length, offset, limit));
        for (uint256 i = 0; i < page.length; ++i) {
            page[i] = _providers[_accounts[offset + i]];
        }
    }

    /// @inheritdoc IProviderRegistry
    function offerCount(uint256 model) external view returns (uint256) {
        return _offering[model].length();
    }

    /// @inheritdoc IProviderRegistry
    function offers(uint256 model, uint256 offset, uint256 limit) external view returns (ProviderOffer[] memory page) {
        page = new ProviderOffer[](_pageLength(_offering[model].length(), offset, limit));
        for (uint256 i = 0; i < page.length; ++i) {
            address provider = _offering[model].pos(offset + i);
            page[i] = ProviderOffer({provider: provider, offer: _offers[provider][model]});
        }
    }

    /* INTERNAL */

    function _registered(address provider) private view returns (Provider storage account) {
        account = _providers[provider];
        if (account.account == address(0)) revert NotRegistered(provider);
    }

    function _requireMayAct(address provider) private view {
        if (accounts.answerableUntil(provider, msg.sender) != type(uint40).max) revert NotAllowed(msg.sender);
    }

    function _requireLengths(string calldata endpoint, Hardware calldata hardware) private pure {
        _requireLength(endpoint, MAX_ENDPOINT_BYTES);
        _requireLength(hardware.device, MAX_DEVICE_BYTES);
    }

    function _requireLength(string calldata text, uint256 max) private pure {
        uint256 length = bytes(text).length;
        if (length == 0 || length > max) revert BadLength(length, 1, max);
    }

    function _pageLength(uint256 length, uint256 offset, uint256 limit) private pure returns (uint256) {
        return offset < length ? Math.min(limit, length - offset) : 0;
    }
}
