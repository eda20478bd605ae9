// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC721} from "@openzeppelin/contracts/token/ERC721/IERC721.sol";

/// @notice A model that gets a share of an asset's income.
struct Parent {
    uint256 assetId;
    uint16 shareBps; // of the child's income, rounded down
}

/// @notice What an asset is registered with. The first four fields decide its id.
struct Registration {
    bytes14 header; //          of the program, as encoded: version, counts, stages, longest run
    bytes32 programRoot;
    bytes32 weightsRoot;
    bytes32 packageHash; //     SHA-256 of the package's manifest
    bytes32 salt; //            that of the commitment
    string metadataUri; //      ERC-721 metadata, at most 512 bytes; its owner may change it
    string[] packageUris; //    where the package is, at most 8 of at most 512 bytes; its owner may change them
    uint64 packageSizeBytes;
    string licence; //          SPDX expression, 1 to 128 bytes
    uint16 royaltyBps; //       of every redemption for this model, at most 5,000
    uint16 resaleRoyaltyBps; // of a sale of the token (ERC-2981, to the registrant), at most 1,000
    Parent[] parents; //        at most 8, no two the same, shares at most 10,000 together
    uint256 predecessor; //     the asset that this one is a new version of, owned by the registrant; 0: none
}

/// @notice What the registry keeps of an asset. The rest is in the event `AssetRegistered` of block `registeredAtBlock`.
struct Asset {
    bytes32 modelId;
    bytes32 packageHash;
    uint256 predecessor;
    uint64 packageSizeBytes;
    uint64 registeredAtBlock; // 0: no such asset
    uint16 royaltyBps;
}

/// @notice One step in an alias's history.
struct Pointing {
    uint256 atBlock;
    uint256 assetId;
}

/// @title IModelRegistry
/// @notice Models as assets. An asset is a model together with the manifest of its package; its token id is computed
///         here from that content, and the content never changes. A new version is a new asset.
/// @dev modelId = SHA-256(02 || header || programRoot || weightsRoot), assetId = SHA-256(05 || modelId || packageHash).
///      Nobody checks on chain that the roots belong to a sensible program: loaders do.
///      A royalty is a convention: whoever registers a copy with one byte changed, or pays elsewhere, does not pay it.
interface IModelRegistry is IERC721 {
    /// @notice A commitment was made in this block. Repeating it later changes nothing and emits nothing.
    event Committed(bytes32 indexed commitment);
    /// @notice An asset was registered, by its first owner.
    event AssetRegistered(
        uint256 indexed assetId, bytes32 indexed modelId, address indexed owner, Registration registration
    );
    event PackageUrisSet(uint256 indexed assetId, string[] packageUris);
    event MetadataUriSet(uint256 indexed assetId, string metadataUri);
    /// @notice `name` points at `assetId` from this block on. `key` is keccak256(name).
    event AliasPointed(bytes32 indexed key, uint256 indexed assetId, string name);
    /// @notice `name` belongs to `owner` from now on.
    event AliasOwned(bytes32 indexed key, address indexed owner, string name);
    /// @notice ERC-7572: `contractURI` has been set.
    event ContractURIUpdated();

    /// @notice The commitment for (assetId, caller, salt) does not exist or was made in this very block.
    error NotCommitted(bytes32 commitment);
    error AlreadyRegistered(uint256 assetId);
    error UnknownAsset(uint256 assetId);
    error NotOwner(address caller, address owner);
    error RoyaltyTooHigh(uint256 bps, uint256 maxBps);
    error TooManyParents(uint256 count, uint256 max);
    error DuplicateParent(uint256 assetId);
    error SharesTooHigh(uint256 bps, uint256 maxBps);
    error TooManyUris(uint256 count, uint256 max);
    /// @notice A text has a length in bytes that is not allowed.
    error BadLength(uint256 length, uint256 min, uint256 max);
    /// @notice A name does not match [a-z0-9][a-z0-9.-]{1,63}.
    error BadAlias(string name);
    error AliasTaken(string name, address owner);
    error UnknownAlias(string name);
    error ZeroAddress();

    /// @notice Announces a registration without showing what it is, so that nobody can register it first.
    /// @param commitment keccak256(abi.encode(assetId, registrant, salt))
    function commit(bytes32 commitment) external;

    /// @notice Registers an asset for the caller, in a block after its commitment's.
    function register(Registration calldata registration) external returns (uint256 assetId);

    /// @notice Changes the token's metadata URI (ERC-4906). Owner only.
    function setMetadataUri(uint256 assetId, string calldata metadataUri) external;

    /// @notice Changes where the package can be found. Owner only; what is found there must still match packageHash.
    function setPackageUris(uint256 assetId, string[] calldata packageUris) external;

    /// @notice Takes a free name for the caller and points it at an asset, anybody's.
    function claimAlias(string calldata name, uint256 assetId) external;

    /// @notice Points the caller's name at another asset from this block on.
    function pointAlias(string calldata name, uint256 assetId) external;

    /// @notice Gives the caller's name to another account.
    function transferAlias(string calldata name, address to) external;

    /// @notice Who owns a name and where it points now.
    function aliasOf(string calldata name) external view returns (address owner, uint256 assetId);

    /// @notice Where a name pointed at the end of a block; 0 if it did not exist.
    function aliasAt(string calldata name, uint256 blockNumber) external view returns (uint256 assetId);

    /// @notice A page of a name's history, oldest first.
    function aliasHistory(string calldata name, uint256 offset, uint256 limit) external view returns (Pointing[] memory);

    function isRegistered(uint256 assetId) external view returns (bool);

    function assetOf(uint256 assetId) external view returns (Asset memory);

    function modelIdOf(uint256 assetId) external view returns (bytes32);

    /// @notice The royalty of use: the part of a redemption that is the model's. Immutable.
    function royaltyBps(uint256 assetId) external view returns (uint16);

    /// @notice The models that share in this one's income. Immutable.
    function parentsOf(uint256 assetId) external view returns (uint256[] memory parents, uint16[] memory sharesBps);

    function packageUrisOf(uint256 assetId) external view returns (string[] memory);

    function licenceOf(uint256 assetId) external view returns (string memory);

    /// @notice Block of a commitment, 0 if there is none.
    function committedAt(bytes32 commitment) external view returns (uint256 blockNumber);

    function assetCount() external view returns (uint256);

    /// @notice A page of all assets, in the order of registration.
    function assets(uint256 offset, uint256 limit) external view returns (uint256[] memory assetIds);

    /// @notice ERC-7572: what marketplaces show for the collection.
    function contractURI() external view returns (string memory);
}
