// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {AliasName} from "./AliasName.sol";
import {Asset, IModelRegistry, Parent, Pointing, Registration} from "./IModelRegistry.sol";
import {IERC165} from "@openzeppelin/contracts/interfaces/IERC165.sol";
import {IERC4906} from "@openzeppelin/contracts/interfaces/IERC4906.sol";
import {ERC721} from "@openzeppelin/contracts/token/ERC721/ERC721.sol";
import {ERC2981} from "@openzeppelin/contracts/token/common/ERC2981.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {Checkpoints} from "@openzeppelin/contracts/utils/structs/Checkpoints.sol";

/// @title ModelRegistry
/// @notice Assets, their lineage, and the names that point at them.
contract ModelRegistry is IModelRegistry, IERC4906, ERC721, ERC2981 {
    using Checkpoints for Checkpoints.Trace256;

    /* CONSTANTS */

    uint256 private constant BPS = 10_000;
    uint256 private constant MAX_ROYALTY_BPS = 5_000;
    uint256 private constant MAX_RESALE_ROYALTY_BPS = 1_000;
    uint256 private constant MAX_PARENTS = 8;
    uint256 private constant MAX_URIS = 8;
    uint256 private constant MAX_URI_BYTES = 512;
    uint256 private constant MAX_LICENCE_BYTES = 128;
    bytes1 private constant MODEL_TAG = 0x02;
    bytes1 private constant ASSET_TAG = 0x05;

    /* STORAGE */

    string public contractURI;
    uint256[] private _assetIds;
    mapping(bytes32 commitment => uint256 blockNumber) public committedAt;
    mapping(uint256 assetId => Asset) private _assets;
    mapping(uint256 assetId => Parent[]) private _parents;
    mapping(uint256 assetId => string) private _licences;
    mapping(uint256 assetId => string) private _metadataUris;
    mapping(uint256 assetId => string[]) private _packageUris;
    mapping(bytes32 aliasKey => address) private _aliasOwners;
    mapping(bytes32 aliasKey => Checkpoints.Trace256) private _aliasTargets; // block number => asset id

    constructor(string memory uri) ERC721("Foldmark Models", "FOLD") {
        contractURI = uri;

        emit ContractURIUpdated();
    }

    /* REGISTERING */

    /// @inheritdoc IModelRegistry
    function commit(bytes32 commitment) external {
        if (committedAt[commitment] != 0) return; // the first block stays

        committedAt[commitment] = block.number;

        emit Committed(commitment);
    }

    /// @inheritdoc IModelRegistry
    function register(Registration calldata r) external returns (uint256 assetId) {
        bytes32 modelId = sha256(abi.encodePacked(MODEL_TAG, r.header, r.programRoot, r.weightsRoot));
        assetId = uint256(sha256(abi.encodePacked(ASSET_TAG, modelId, r.packageHash)));
        if (isRegistered(assetId)) revert AlreadyRegistered(assetId);
        bytes32 commitment = keccak256(abi.encode(assetId, msg.sender, r.salt));
        uint256 blockNumber = committedAt[commitment];
        if (blockNumber == 0 || blockNumber >= block.number) revert NotCommitted(commitment);
        _requireAtMost(r.royaltyBps, MAX_ROYALTY_BPS);
        _requireAtMost(r.resaleRoyaltyBps, MAX_RESALE_ROYALTY_BPS);
        _requireLength(r.metadataUri, 0, MAX_URI_BYTES);
        _requireLength(r.licence, 1, MAX_LICENCE_BYTES);
        _requireUris(r.packageUris);
        _requireParents(r.parents);
        if (r.predecessor != 0) _requireAssetOwner(r.predecessor);

        _assets[assetId] = Asset({
            modelId: modelId,
            packageHash: r.packageHash,
            predecessor: r.predecessor,
            packageSizeBytes: r.packageSizeBytes,
            registeredAtBlock: uint64(block.number),
            royaltyBps: r.royaltyBps
        });
        for (uint256 i = 0; i < r.parents.length; ++i) {
            _parents[assetId].push(r.parents[i]);
        }
        _licences[assetId] = r.licence;
        _metadataUris[assetId] = r.metadataUri;
        _storeUris(assetId, r.packageUris);
        _assetIds.push(assetId);
        if (r.resaleRoyaltyBps > 0) _setTokenRoyalty(assetId, msg.sender, r.resaleRoyaltyBps);

        emit AssetRegistered(assetId, modelId, msg.sender, r);

        // no callback to the owner: one that refuses tokens would only hurt itself
        _mint(msg.sender, assetId);
    }

    /// @inheritdoc IModelRegistry
    function setMetadataUri(uint256 assetId, string calldata metadataUri) external {
        _requireAssetOwner(assetId);
        _requireLength(metadataUri, 0, MAX_URI_BYTES);

        _metadataUris[assetId] = metadataUri;

        emit MetadataUriSet(assetId, metadataUri);
        emit MetadataUpdate(assetId);
    }

    /// @inheritdoc IModelRegistry
    function setPackageUris(uint256 assetId, string[] calldata packageUris) external {
        _requireAssetOwner(assetId);
        _requireUris(packageUris);

        delete _packageUris[assetId];
        _storeUris(assetId, packageUris);

        emit PackageUrisSet(assetId, packageUris);
    }

    /* ALIASES */

    /// @inheritdoc IModelRegistry
    function claimAlias(string calldata name, uint256 assetId) external {
        if (!AliasName.isValid(name)) revert BadAlias(name);
        bytes32 key = keccak256(bytes(name));
        address owner = _aliasOwners[key];
        if (owner != address(0)) revert AliasTaken(name, owner);

        _aliasOwners[key] = msg.sender;

        emit AliasOwned(key, msg.sender, name);

        _point(key, name, assetId);
    }

    /// @inheritdoc IModelRegistry
    function pointAlias(string calldata name, uint256 assetId) external {
        bytes32 key = _requireAliasOwner(name);

        _point(key, name, assetId);
    }

    /// @inheritdoc IModelRegistry
    function transferAlias(string calldata name, address to) external {
        bytes32 key = _requireAliasOwner(name);
        if (to == address(0)) revert ZeroAddress();

        _aliasOwners[key] = to;

        emit AliasOwned(key, to, name);
    }

    /// @inheritdoc IModelRegistry
    function aliasOf(string calldata name) external view returns (address owner, uint256 assetId) {
        bytes32 key = keccak256(bytes(name));
        owner = _aliasOwners[key];
        if (owner == address(0)) revert UnknownAlias(name);
        assetId = _aliasTargets[key].latest();
    }

    /// @inheritdoc IModelRegistry
    function aliasAt(string calldata name, uint256 blockNumber) external view returns (uint256 assetId) {
        return _aliasTargets[keccak256(bytes(name))].upperLookup(blockNumber);
    }

    /// @inheritdoc IModelRegistry
    function aliasHistory(
        string calldata name,
        uint256 offset,
        uint256 limit
    ) external view returns (Pointing[] memory page) {
        Checkpoints.Trace256 storage history = _aliasTargets[keccak256(bytes(name))];
        page = new Pointing[](_pageLength(history.length(), offset, limit));
        for (uint256 i = 0; i < page.length; ++i) {
            Checkpoints.Checkpoint256 memory point = history.pos(uint32(offset + i)); // below the length, which push bounds
            page[i] = Pointing({atBlock: point._key, assetId: point._value});
        }
    }

    /* VIEWS */

    /// @inheritdoc IModelRegistry
    function isRegistered(uint256 assetId) public view returns (bool) {
        return _assets[assetId].registeredAtBlock != 0;
    }

    /// @inheritdoc IModelRegistry
    function assetOf(uint256 assetId) external view returns (Asset memory) {
        return _registered(assetId);
    }

    /// @inheritdoc IModelRegistry
    function modelIdOf(uint256 assetId) external view returns (bytes32) {
        return _registered(assetId).modelId;
    }

    /// @inheritdoc IModelRegistry
    function royaltyBps(uint256 assetId) external view returns (uint16) {
        return _registered(assetId).royaltyBps;
    }

    /// @inheritdoc IModelRegistry
    function parentsOf(uint256 assetId) external view returns (uint256[] memory parents, uint16[] memory sharesBps) {
        _registered(assetId);
        Parent[] storage stored = _parents[assetId];
        parents = new uint256[](stored.length);
        sharesBps = new uint16[](stored.length);
        for (uint256 i = 0; i < stored.length; ++i) {
            (parents[i], sharesBps[i]) = (stored[i].assetId, stored[i].shareBps);
        }
    }

    /// @inheritdoc IModelRegistry
    function packageUrisOf(uint256 assetId) external view returns (string[] memory) {
        _registered(assetId);
        return _packageUris[assetId];
    }

    /// @inheritdoc IModelRegistry
    function licenceOf(uint256 assetId) external view returns (string memory) {
        _registered(assetId);
        return _licences[assetId];
    }

    /// @inheritdoc IModelRegistry
    function assetCount() external view returns (uint256) {
        return _assetIds.length;
    }

    /// @inheritdoc IModelRegistry
    function assets(uint256 offset, uint256 limit) external view returns (uint256[] memory page) {
        page = new uint256[](_pageLength(_assetIds.length, offset, limit));
        for (uint256 i = 0; i < page.length; ++i) {
            page[i] = _assetIds[offset + i];
        }
    }

    /// @notice The metadata URI that the owner has set.
    function tokenURI(uint256 assetId) public view override returns (string memory) {
        _registered(assetId);
        return _metadataUris[assetId];
    }

    function supportsInterface(bytes4 interfaceId) public view override(IERC165, ERC721, ERC2981) returns (bool) {
        return interfaceId == bytes4(0x49064906) // ERC-4906 names its id, since events have no selector
            || super.supportsInterface(interfaceId);
    }

    /* INTERNAL */

    function _storeUris(uint256 assetId, string[] calldata uris) private {
        for (uint256 i = 0; i < uris.length; ++i) {
            _packageUris[assetId].push(uris[i]);
        }
    }

    function _point(bytes32 key, string calldata name, uint256 assetId) private {
        _registered(assetId);

        _aliasTargets[key].push(block.number, assetId);

        emit AliasPointed(key, assetId, name);
    }

    function _registered(uint256 assetId) private view returns (Asset storage asset) {
        asset = _assets[assetId];
        if (asset.registeredAtBlock == 0) revert UnknownAsset(assetId);
    }

    function _requireAssetOwner(uint256 assetId) private view {
        _registered(assetId);
        address owner = _ownerOf(assetId);
        if (msg.sender != owner) revert NotOwner(msg.sender, owner);
    }

    function _requireAliasOwner(string calldata name) private view returns (bytes32 key) {
        key = keccak256(bytes(name));
        address owner = _aliasOwners[key];
        if (owner == address(0)) revert UnknownAlias(name);
        if (msg.sender != owner) revert NotOwner(msg.sender, owner);
    }

    function _requireParents(Parent[] calldata parents) private view {
        if (parents.length > MAX_PARENTS) revert TooManyParents(parents.length, MAX_PARENTS);
        uint256 sharesBps = 0;
        for (uint256 i = 0; i < parents.length; ++i) {
            _registered(parents[i].assetId);
            for (uint256 j = 0; j < i; ++j) {
                if (parents[j].assetId == parents[i].assetId) revert DuplicateParent(parents[i].assetId);
            }
            sharesBps += parents[i].shareBps;
        }
        if (sharesBps > BPS) revert SharesTooHigh(sharesBps, BPS);
    }

    function _requireUris(string[] calldata uris) private pure {
        if (uris.length > MAX_URIS) revert TooManyUris(uris.length, MAX_URIS);
        for (uint256 i = 0; i < uris.length; ++i) {
            _requireLength(uris[i], 1, MAX_URI_BYTES);
        }
    }

    function _requireLength(string calldata text, uint256 min, uint256 max) private pure {
        uint256 length = bytes(text).length;
        if (length < min || length > max) revert BadLength(length, min, max);
    }

    function _requireAtMost(uint256 bps, uint256 maxBps) private pure {
        if (bps > maxBps) revert RoyaltyTooHigh(bps, maxBps);
    }

    function _pageLength(uint256 length, uint256 offset, uint256 limit) private pure returns (uint256) {
        return offset < length ? Math.min(limit, length - offset) : 0;
    }
}
