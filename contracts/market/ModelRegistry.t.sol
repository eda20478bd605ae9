// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {MarketTest} from "../mocks/MarketTest.t.sol";
import {Asset, IModelRegistry, Parent, Pointing, Registration} from "./IModelRegistry.sol";
import {ModelRegistry} from "./ModelRegistry.sol";
import {IERC2981} from "@openzeppelin/contracts/interfaces/IERC2981.sol";
import {IERC4906} from "@openzeppelin/contracts/interfaces/IERC4906.sol";
import {IERC721Metadata} from "@openzeppelin/contracts/token/ERC721/extensions/IERC721Metadata.sol";

contract ModelRegistryTest is MarketTest {
    function test_register_computesBothIdsAndMintsTheToken() public {
        Registration memory r = _aRegistration(5);
        bytes32 modelId = sha256(abi.encodePacked(hex"02", r.header, r.programRoot, r.weightsRoot));
        uint256 expected = uint256(sha256(abi.encodePacked(hex"05", modelId, r.packageHash)));
        _commit(author, r);
        vm.expectEmit(address(models));
        emit IModelRegistry.AssetRegistered(expected, modelId, author, r);
        vm.prank(author);
        uint256 assetId = models.register(r);

        vm.assertEq(assetId, expected, "asset id");
        vm.assertEq(models.modelIdOf(assetId), modelId, "model id");
        vm.assertEq(models.ownerOf(assetId), author, "owner");
        vm.assertEq(models.royaltyBps(assetId), ROYALTY_BPS, "royalty");
        vm.assertEq(models.tokenURI(assetId), r.metadataUri, "metadata");
        vm.assertEq(models.licenceOf(assetId), "Apache-2.0", "licence");
        vm.assertEq(models.packageUrisOf(assetId)[0], r.packageUris[0], "package");
        Asset memory asset = models.assetOf(assetId);
        vm.assertEq(asset.packageHash, r.packageHash, "package hash");
        vm.assertEq(asset.packageSizeBytes, r.packageSizeBytes, "size");
        vm.assertEq(asset.registeredAtBlock, block.number, "block");
    }

    function testFuzz_register_idDependsOnContentOnly(uint256 seed, address registrant) public {
        vm.assume(registrant != address(0) && seed != 1); // 1 is registered by the set-up
        Registration memory r = _aRegistration(seed);
        r.salt = bytes32(seed);
        r.royaltyBps = 0;
        vm.assertEq(_register(registrant, r), _assetIdOf(r), "asset id");
    }

    function test_register_needsACommitmentOfAnEarlierBlock() public {
        Registration memory r = _aRegistration(5);
        bytes32 commitment = keccak256(abi.encode(_assetIdOf(r), author, r.salt));
        bytes memory refused = abi.encodeWithSelector(IModelRegistry.NotCommitted.selector, commitment);
        vm.startPrank(author);
        vm.expectRevert(refused);
        models.register(r);
        models.commit(commitment);
        vm.expectRevert(refused);
        models.register(r);
        vm.roll(block.number + 1);
        models.register(r);
        vm.stopPrank();
    }

    function test_register_cannotBeStolenFromTheMempool() public {
        Registration memory r = _aRegistration(5);
        _commit(author, r);
        bytes32 commitment = keccak256(abi.encode(_assetIdOf(r), stranger, r.salt));
        vm.startPrank(stranger);
        vm.expectRevert(abi.encodeWithSelector(IModelRegistry.NotCommitted.selector, commitment));
        models.register(r);
        models.commit(commitment); // seen in the mempool: it is too late in this block
        vm.expectRevert(abi.encodeWithSelector(IModelRegistry.NotCommitted.selector, commitment));
        models.register(r);
        vm.stopPrank();
        vm.prank(author);
        models.register(r);
    }

    function test_commit_theFirstBlockStays() public {
        models.commit("once");
        uint256 first = block.number;
        vm.roll(first + 5);
        vm.recordLogs();
        models.commit("once");
        vm.assertEq(models.committedAt("once"), first, "block");
        vm.assertEq(vm.getRecordedLogs().length, 0, "events");
    }

    function test_register_worksOnce() public {
        Registration memory r = _aRegistration(1);
        _commit(stranger, r);
        vm.prank(stranger);
        vm.expectRevert(abi.encodeWithSelector(IModelRegistry.AlreadyRegistered.selector, model));
        models.register(r);
    }

    function test_register_boundsRoyalties() public {
        Registration memory r = _aRegistration(5);
        r.royaltyBps = 5_001;
        _refused(r, abi.encodeWithSelector(IModelRegistry.RoyaltyTooHigh.selector, 5_001, 5_000));
        r.royaltyBps = 5_000;
        r.resaleRoyaltyBps = 1_001;
        _refused(r, abi.encodeWithSelector(IModelRegistry.RoyaltyTooHigh.selector, 1_001, 1_000));
        r.resaleRoyaltyBps = 1_000;
        uint256 assetId = _register(author, r);
        (address receiver, uint256 amount) = models.royaltyInfo(assetId, 500);
        vm.assertEq(receiver, author, "receiver of a resale's royalty");
        vm.assertEq(amount, 50, "a resale's royalty");
    }

    function test_register_boundsTexts() public {
        Registration memory r = _aRegistration(5);
        r.licence = "";
        _refused(r, abi.encodeWithSelector(IModelRegistry.BadLength.selector, 0, 1, 128));
        r = _aRegistration(5);
        r.metadataUri = string(new bytes(513));
        _refused(r, abi.encodeWithSelector(IModelRegistry.BadLength.selector, 513, 0, 512));
        r = _aRegistration(5);
        r.packageUris[0] = "";
        _refused(r, abi.encodeWithSelector(IModelRegistry.BadLength.selector, 0, 1, 512));
        r.packageUris = new string[](9);
        _refused(r, abi.encodeWithSelector(IModelRegistry.TooManyUris.selector, 9, 8));
    }

    function test_register_keepsLineage() public {
        uint256 second = _register(author, _aRegistration(2));
        Registration memory r = _aRegistration(5);
        r.parents = new Parent[](2);
        (r.parents[0], r.parents[1]) = (Parent(model, 6_000), Parent(second, 4_000));
        (uint256[] memory parents, uint16[] memory shares) = models.parentsOf(_register(stranger, r));
        vm.assertEq(parents[0], model, "first parent");
        vm.assertEq(parents[1], second, "second parent");
        vm.assertEq(shares[0], 6_000, "first share");
        vm.assertEq(shares[1], 4_000, "second share");
    }

    function test_register_boundsLineage() public {
        uint256 second = _register(author, _aRegistration(2));
        Registration memory r = _aRegistration(5);
        r.parents = new Parent[](2);
        (r.parents[0], r.parents[1]) = (Parent(model, 6_000), Parent(second, 4_001));
        _refused(r, abi.encodeWithSelector(IModelRegistry.SharesTooHigh.selector, 10_001, 10_000));
        r.parents[1] = Parent(model, 1);
        _refused(r, abi.encodeWithSelector(IModelRegistry.DuplicateParent.selector, model));
        r.parents[1] = Parent(42, 1);
        _refused(r, abi.encodeWithSelector(IModelRegistry.UnknownAsset.selector, 42));
        r.parents[1] = Parent(_assetIdOf(r), 1);
        _refused(r, abi.encodeWithSelector(IModelRegistry.UnknownAsset.selector, _assetIdOf(r)));
        r.parents = new Parent[](9);
        _refused(r, abi.encodeWithSelector(IModelRegistry.TooManyParents.selector, 9, 8));
    }

    function test_register_onlyAnOwnerCanSucceedItsAsset() public {
        Registration memory r = _aRegistration(5);
        r.predecessor = model;
        _commit(stranger, r);
        vm.prank(stranger);
        vm.expectRevert(abi.encodeWithSelector(IModelRegistry.NotOwner.selector, stranger, author));
        models.register(r);
        vm.assertEq(models.assetOf(_register(author, r)).predecessor, model, "predecessor");
    }

    function test_setMetadataUri_isForTheOwnerAndAnnounced() public {
        vm.prank(stranger);
        vm.expectRevert(abi.encodeWithSelector(IModelRegistry.NotOwner.selector, stranger, author));
        models.setMetadataUri(model, "ipfs://new");
        vm.expectEmit(address(models));
        emit IModelRegistry.MetadataUriSet(model, "ipfs://new");
        vm.expectEmit(address(models));
        emit IERC4906.MetadataUpdate(model);
        vm.prank(author);
        models.setMetadataUri(model, "ipfs://new");
        vm.assertEq(models.tokenURI(model), "ipfs://new", "metadata");
    }

    function test_setPackageUris_replacesThem() public {
        string[] memory uris = new string[](2);
        (uris[0], uris[1]) = ("ipfs://a", "ipfs://b");
        vm.prank(stranger);
        vm.expectRevert(abi.encodeWithSelector(IModelRegistry.NotOwner.selector, stranger, author));
        models.setPackageUris(model, uris);
        vm.expectEmit(address(models));
        emit IModelRegistry.PackageUrisSet(model, uris);
        vm.prank(author);
        models.setPackageUris(model, uris);
        vm.assertEq(models.packageUrisOf(model).length, 2, "count");
        vm.assertEq(models.packageUrisOf(model)[1], "ipfs://b", "second");
    }

    function test_alias_belongsToWhoeverCameFirst() public {
        vm.expectEmit(address(models));
        emit IModelRegistry.AliasOwned(keccak256("chat-small"), stranger, "chat-small");
        vm.expectEmit(address(models));
        emit IModelRegistry.AliasPointed(keccak256("chat-small"), model, "chat-small");
        vm.prank(stranger);
        models.claimAlias("chat-small", model);
        vm.prank(author);
        vm.expectRevert(abi.encodeWithSelector(IModelRegistry.AliasTaken.selector, "chat-small", stranger));
        models.claimAlias("chat-small", model);
        vm.prank(author);
        vm.expectRevert(abi.encodeWithSelector(IModelRegistry.BadAlias.selector, "Chat"));
        models.claimAlias("Chat", model);
        vm.prank(author);
        vm.expectRevert(abi.encodeWithSelector(IModelRegistry.UnknownAsset.selector, 42));
        models.claimAlias("free", 42);
    }

    function test_alias_isMovedByItsOwnerAlone() public {
        uint256 second = _register(author, _aRegistration(2));
        vm.prank(author);
        models.claimAlias("chat", model);
        vm.prank(stranger);
        vm.expectRevert(abi.encodeWithSelector(IModelRegistry.NotOwner.selector, stranger, author));
        models.pointAlias("chat", second);
        vm.prank(stranger);
        vm.expectRevert(abi.encodeWithSelector(IModelRegistry.UnknownAlias.selector, "other"));
        models.pointAlias("other", second);

        vm.prank(author);
        models.transferAlias("chat", stranger);
        vm.prank(stranger);
        models.pointAlias("chat", second);
        (address owner, uint256 assetId) = models.aliasOf("chat");
        vm.assertEq(owner, stranger, "owner");
        vm.assertEq(assetId, second, "asset");
        vm.prank(stranger);
        vm.expectRevert(abi.encodeWithSelector(IModelRegistry.ZeroAddress.selector));
        models.transferAlias("chat", address(0));
    }

    function test_alias_isUnknownUntilClaimed() public {
        vm.expectRevert(abi.encodeWithSelector(IModelRegistry.UnknownAlias.selector, "free"));
        models.aliasOf("free");
    }

    function test_alias_keepsItsHistory() public {
        uint256 second = _register(author, _aRegistration(2));
        uint256 first = block.number + 10;
        vm.startPrank(author);
        vm.roll(first);
        models.claimAlias("chat", model);
        vm.roll(first + 10);
        models.pointAlias("chat", second);
        vm.roll(first + 20);
        models.pointAlias("chat", model);
        vm.stopPrank();

        vm.assertEq(models.aliasAt("chat", first - 1), 0, "before");
        vm.assertEq(models.aliasAt("chat", first), model, "at the first block");
        vm.assertEq(models.aliasAt("chat", first + 9), model, "before the second");
        vm.assertEq(models.aliasAt("chat", first + 10), second, "at the second");
        vm.assertEq(models.aliasAt("chat", first + 1_000), model, "after the last");
        Pointing[] memory page = models.aliasHistory("chat", 1, 10);
        vm.assertEq(page.length, 2, "page");
        vm.assertEq(page[0].atBlock, first + 10, "block");
        vm.assertEq(page[0].assetId, second, "asset");
        vm.assertEq(models.aliasHistory("chat", 3, 10).length, 0, "past the end");
    }

    function test_views_refuseUnknownAssets() public {
        bytes memory unknown = abi.encodeWithSelector(IModelRegistry.UnknownAsset.selector, 42);
        vm.assertTrue(!models.isRegistered(42), "registered");
        vm.expectRevert(unknown);
        models.modelIdOf(42);
        vm.expectRevert(unknown);
        models.royaltyBps(42);
        vm.expectRevert(unknown);
        models.parentsOf(42);
        vm.expectRevert(unknown);
        models.assetOf(42);
        vm.expectRevert(unknown);
        models.tokenURI(42);
    }

    function testFuzz_assets_pagesCoverEveryAssetOnce(uint8 limit) public {
        limit = uint8(_bound(limit, 1, 6));
        for (uint256 i = 2; i < 6; ++i) {
            _register(author, _aRegistration(i));
        }
        uint256 seen = 0;
        for (uint256 offset = 0; offset < models.assetCount(); offset += limit) {
            uint256[] memory page = models.assets(offset, limit);
            for (uint256 i = 0; i < page.length; ++i) {
                vm.assertEq(page[i], _assetIdOf(_aRegistration(++seen)), "asset");
            }
        }
        vm.assertEq(seen, 5, "seen");
        vm.assertEq(models.assets(5, type(uint256).max).length, 0, "past the end");
        vm.assertEq(models.assets(type(uint256).max, type(uint256).max).length, 0, "far past the end");
        vm.assertEq(models.assets(1, type(uint256).max).length, 4, "all from the second on");
        vm.assertEq(models.assets(0, 0).length, 0, "none");
        vm.assertEq(models.aliasHistory("nobody", type(uint256).max, 1).length, 0, "no history");
    }

    function test_supportsInterface() public view {
        vm.assertTrue(models.supportsInterface(0x80ac58cd), "ERC-721");
        vm.assertTrue(models.supportsInterface(type(IERC721Metadata).interfaceId), "ERC-721 metadata");
        vm.assertTrue(models.supportsInterface(type(IERC2981).interfaceId), "ERC-2981");
        vm.assertTrue(models.supportsInterface(0x49064906), "ERC-4906");
        vm.assertTrue(!models.supportsInterface(0xffffffff), "nonsense");
        vm.assertEq(models.contractURI(), "ipfs://collection", "ERC-7572");
    }

    function test_constructor_announcesItsContractUri() public {
        vm.recordLogs();
        new ModelRegistry("ipfs://other");
        vm.assertEq(vm.getRecordedLogs()[0].topics[0], IModelRegistry.ContractURIUpdated.selector, "event");
    }

    function _refused(Registration memory r, bytes memory reason) private {
        _commit(author, r);
        vm.prank(author);
        vm.expectRevert(reason);
        models.register(r);
    }
}
