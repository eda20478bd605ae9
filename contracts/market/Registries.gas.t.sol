// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {MarketTest} from "../mocks/MarketTest.t.sol";
import {Parent, Registration} from "./IModelRegistry.sol";
import {Assurance, Hardware, Kind, Mode, Offer} from "./IProviderRegistry.sol";

/// @notice Gas of every call to the two registries, as whole transactions, kept in snapshots/.
contract RegistriesGasTest is MarketTest {
    string private constant MODELS = "ModelRegistry";
    string private constant PROVIDERS = "ProviderRegistry";

    function setUp() public override {
        super.setUp();
        vm.prank(author);
        providers.register("https://other.example", _aHardware());
        vm.prank(author);
        providers.setOffer(author, model, _anOffer());
    }

    /// hardhat-config: isolate = true
    function test_gas_registerModel() public {
        Registration memory r = _aRegistration(2);
        bytes32 commitment = keccak256(abi.encode(_assetIdOf(r), author, r.salt));
        models.commit(commitment);
        vm.snapshotGasLastCall(MODELS, "commit");
        vm.roll(block.number + 1);
        vm.prank(author);
        models.register(r);
        vm.snapshotGasLastCall(MODELS, "register: no parents");

        r = _aRegistration(3);
        r.parents = new Parent[](8);
        for (uint256 i = 0; i < 8; ++i) {
            r.parents[i] = Parent(_register(author, _aRegistration(10 + i)), 1_250);
        }
        _commit(author, r);
        vm.prank(author);
        models.register(r);
        vm.snapshotGasLastCall(MODELS, "register: eight parents");
    }

    /// hardhat-config: isolate = true
    function test_gas_describeModel() public {
        vm.prank(author);
        models.setMetadataUri(model, "ipfs://description");
        vm.snapshotGasLastCall(MODELS, "setMetadataUri");
        string[] memory uris = new string[](1);
        uris[0] = "https://mirror.example/model";
        vm.prank(author);
        models.setPackageUris(model, uris);
        vm.snapshotGasLastCall(MODELS, "setPackageUris: 1");
    }

    /// hardhat-config: isolate = true
    function test_gas_alias() public {
        vm.prank(author);
        models.claimAlias("chat-small", model);
        vm.snapshotGasLastCall(MODELS, "claimAlias");
        vm.roll(block.number + 1);
        vm.prank(author);
        models.pointAlias("chat-small", model);
        vm.snapshotGasLastCall(MODELS, "pointAlias");
        vm.prank(author);
        models.transferAlias("chat-small", stranger);
        vm.snapshotGasLastCall(MODELS, "transferAlias");
    }

    /// hardhat-config: isolate = true
    function test_gas_provider() public {
        vm.prank(payee);
        providers.register("https://node.example:8420", _aHardware());
        vm.snapshotGasLastCall(PROVIDERS, "register");
        vm.prank(payee);
        providers.update("https://node.example:8421", _aHardware());
        vm.snapshotGasLastCall(PROVIDERS, "update");
        vm.prank(operator);
        providers.setOffer(payee, model, _anOffer());
        vm.snapshotGasLastCall(PROVIDERS, "setOffer: new");
        Offer memory cheaper = _anOffer();
        cheaper.priceOut = 300_000;
        vm.prank(operator);
        providers.setOffer(payee, model, cheaper);
        vm.snapshotGasLastCall(PROVIDERS, "setOffer: replace");
        vm.prank(operator);
        providers.setPaused(payee, true);
        vm.snapshotGasLastCall(PROVIDERS, "setPaused");
        vm.prank(operator);
        providers.removeOffer(payee, model);
        vm.snapshotGasLastCall(PROVIDERS, "removeOffer");
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
