// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {MarketTest} from "../mocks/MarketTest.t.sol";
import {
    Assurance,
    Hardware,
    IProviderRegistry,
    Kind,
    Mode,
    Offer,
    Provider,
    ProviderOffer
} from "./IProviderRegistry.sol";

contract ProviderRegistryTest is MarketTest {
    string private constant ENDPOINT = "https://node.example:8420";

    function test_register_keepsEndpointAndHardware() public {
        vm.expectEmit(address(providers));
        emit IProviderRegistry.ProviderRegistered(payee, ENDPOINT, _aHardware());
        _register(payee);
        Provider memory provider = providers.providerOf(payee);
        vm.assertEq(provider.account, payee, "account");
        vm.assertEq(provider.endpoint, ENDPOINT, "endpoint");
        vm.assertEq(provider.hardware.device, "AMD EPYC", "device");
        vm.assertEq(uint256(provider.hardware.kind), uint256(Kind.Cpu), "kind");
        vm.assertEq(provider.hardware.memoryBytes, 8 << 30, "memory");
        vm.assertEq(provider.hardware.decodeMilliTokensPerSecond, 25_500, "rate");
        vm.assertEq(provider.registeredAtBlock, block.number, "block");
        vm.assertTrue(!provider.paused, "paused");

        vm.prank(payee);
        vm.expectRevert(abi.encodeWithSelector(IProviderRegistry.AlreadyRegistered.selector, payee));
        providers.register(ENDPOINT, _aHardware());
    }

    function test_register_boundsTexts() public {
        Hardware memory hardware = _aHardware();
        vm.expectRevert(abi.encodeWithSelector(IProviderRegistry.BadLength.selector, 0, 1, 256));
        providers.register("", hardware);
        vm.expectRevert(abi.encodeWithSelector(IProviderRegistry.BadLength.selector, 257, 1, 256));
        providers.register(string(new bytes(257)), hardware);
        hardware.device = string(new bytes(129));
        vm.expectRevert(abi.encodeWithSelector(IProviderRegistry.BadLength.selector, 129, 1, 128));
        providers.register(ENDPOINT, hardware);
    }

    function test_update_replacesTheCallersOwn() public {
        _register(payee);
        Hardware memory hardware = _aHardware();
        hardware.kind = Kind.Gpu;
        vm.expectEmit(address(providers));
        emit IProviderRegistry.ProviderUpdated(payee, "https://new.example", hardware);
        vm.prank(payee);
        providers.update("https://new.example", hardware);
        vm.assertEq(providers.providerOf(payee).endpoint, "https://new.example", "endpoint");
        vm.assertEq(uint256(providers.providerOf(payee).hardware.kind), uint256(Kind.Gpu), "kind");

        vm.prank(operator);
        vm.expectRevert(abi.encodeWithSelector(IProviderRegistry.NotRegistered.selector, operator));
        providers.update("https://new.example", hardware);
    }

    function test_setOffer_isForTheProviderAndItsOperator() public {
        _register(payee);
        Offer memory offer = _anOffer();
        vm.expectEmit(address(providers));
        emit IProviderRegistry.OfferSet(payee, model, offer);
        vm.prank(operator);
        providers.setOffer(payee, model, offer);
        Offer memory kept = providers.offerOf(payee, model);
        vm.assertEq(keccak256(abi.encode(kept)), keccak256(abi.encode(offer)), "offer");

        vm.prank(stranger);
        vm.expectRevert(abi.encodeWithSelector(IProviderRegistry.NotAllowed.selector, stranger));
        providers.setOffer(payee, model, offer);
        vm.prank(payee);
        channels.setOperator(operator, false);
        vm.prank(operator);
        vm.expectRevert(abi.encodeWithSelector(IProviderRegistry.NotAllowed.selector, operator));
        providers.setOffer(payee, model, offer);
    }

    function test_setOffer_refusesWhatCannotBeServed() public {
        Offer memory offer = _anOffer();
        vm.startPrank(payee);
        vm.expectRevert(abi.encodeWithSelector(IProviderRegistry.NotRegistered.selector, payee));
        providers.setOffer(payee, model, offer);
        providers.register(ENDPOINT, _aHardware());
        vm.expectRevert(abi.encodeWithSelector(IProviderRegistry.UnknownModel.selector, 0));
        providers.setOffer(payee, 0, offer);
        offer.capacity = 0;
        vm.expectRevert(abi.encodeWithSelector(IProviderRegistry.ZeroCapacity.selector));
        providers.setOffer(payee, model, offer);
        vm.stopPrank();
    }

    function test_setOffer_replacesAndIsListedOnce() public {
        _register(payee);
        Offer memory offer = _anOffer();
        vm.startPrank(payee);
        providers.setOffer(payee, model, offer);
        offer.priceIn = 7;
        providers.setOffer(payee, model, offer);
        vm.stopPrank();
        vm.assertEq(providers.offerCount(model), 1, "count");
        vm.assertEq(providers.offers(model, 0, 9)[0].offer.priceIn, 7, "price");
    }

    function test_removeOffer_takesItOutOfTheList() public {
        address[3] memory sellers = [payee, author, stranger];
        for (uint256 i = 0; i < 3; ++i) {
            _register(sellers[i]);
            vm.prank(sellers[i]);
            providers.setOffer(sellers[i], model, _anOffer());
        }
        vm.prank(stranger);
        vm.expectRevert(abi.encodeWithSelector(IProviderRegistry.NotAllowed.selector, stranger));
        providers.removeOffer(payee, model);
        vm.expectEmit(address(providers));
        emit IProviderRegistry.OfferRemoved(payee, model);
        vm.prank(operator);
        providers.removeOffer(payee, model);

        ProviderOffer[] memory left = providers.offers(model, 0, 9);
        vm.assertEq(left.length, 2, "count");
        vm.assertTrue(left[0].provider != payee && left[1].provider != payee, "still listed");
        bytes memory unknown = abi.encodeWithSelector(IProviderRegistry.UnknownOffer.selector, payee, model);
        vm.expectRevert(unknown);
        providers.offerOf(payee, model);
        vm.prank(payee);
        vm.expectRevert(unknown);
        providers.removeOffer(payee, model);
    }

    function test_setPaused_isForTheProviderAndItsOperator() public {
        _register(payee);
        vm.expectEmit(address(providers));
        emit IProviderRegistry.PausedSet(payee, true);
        vm.prank(operator);
        providers.setPaused(payee, true);
        vm.assertTrue(providers.providerOf(payee).paused, "paused");
        vm.prank(stranger);
        vm.expectRevert(abi.encodeWithSelector(IProviderRegistry.NotAllowed.selector, stranger));
        providers.setPaused(payee, false);
        vm.prank(author);
        vm.expectRevert(abi.encodeWithSelector(IProviderRegistry.NotRegistered.selector, author));
        providers.setPaused(author, true);
    }

    function testFuzz_providers_pagesCoverEverybodyOnce(uint8 limit) public {
        limit = uint8(_bound(limit, 1, 8));
        for (uint160 i = 1; i <= 7; ++i) {
            _register(address(i));
        }
        uint160 seen = 0;
        for (uint256 offset = 0; offset < providers.providerCount(); offset += limit) {
            Provider[] memory page = providers.providers(offset, limit);
            for (uint256 i = 0; i < page.length; ++i) {
                vm.assertEq(page[i].account, address(++seen), "account");
            }
        }
        vm.assertEq(seen, 7, "seen");
        vm.assertEq(providers.providers(6, type(uint256).max).length, 1, "the last");
        vm.assertEq(providers.providers(type(uint256).max, type(uint256).max).length, 0, "far past the end");
        vm.assertEq(providers.offers(model, type(uint256).max, type(uint256).max).length, 0, "no offers there");
    }

    function _register(address provider) private {
        vm.prank(provider);
        providers.register(ENDPOINT, _aHardware());
    }

    function _aHardware() private pure returns (Hardware memory) {
        return Hardware({
            kind: Kind.Cpu,
            device: "AMD EPYC",
            memoryBytes: 8 << 30,
            decodeMilliTokensPerSecond: 25_500,
            measuredAt: 1_700_000_000
        });
    }

    function _anOffer() private pure returns (Offer memory) {
        return Offer({
            priceIn: 100_000,
            priceOut: 400_000,
            priceUnit: 50_000,
            assurance: Assurance.Exact,
            mode: Mode.Ahead,
            capacity: 8
        });
    }
}
