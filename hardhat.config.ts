import { createRequire } from "node:module";
import hardhatEthers from "@nomicfoundation/hardhat-ethers";
import hardhatIgnitionViem from "@nomicfoundation/hardhat-ignition-viem";
import hardhatNetworkHelpers from "@nomicfoundation/hardhat-network-helpers";
import hardhatViem from "@nomicfoundation/hardhat-viem";
import hardhatViemAssertions from "@nomicfoundation/hardhat-viem-assertions";
import { defineConfig } from "hardhat/config";

// the compiler comes from npm, so that nothing is downloaded at run time
const soljson = createRequire(import.meta.url).resolve("solc/soljson.js");
const evmVersion = "osaka";
const optimizer = { enabled: true, runs: 200 };

export default defineConfig({
  plugins: [hardhatViem, hardhatViemAssertions, hardhatEthers, hardhatNetworkHelpers, hardhatIgnitionViem],
  solidity: {
    profiles: {
      default: { version: "0.8.37", path: soljson, settings: { optimizer, evmVersion } },
      production: {
        version: "0.8.37",
        path: soljson,
        settings: { optimizer, viaIR: true, evmVersion, metadata: { bytecodeHash: "none" } },
      },
    },
  },
  test: {
    solidity: {
      profiles: {
        default: { fuzz: { runs: 256, seed: "0x1234" }, invariant: { runs: 64, depth: 64, failOnRevert: true } },
        deep: { fuzz: { runs: 10_000 }, invariant: { runs: 256, depth: 128, failOnRevert: true } },
      },
    },
  },
  networks: {
    sim: { type: "edr-simulated", chainType: "l1", hardfork: "osaka" },
    // for `hardhat node`: a block a second keeps block time with the clock even when nothing is sent, and equal
    // timestamps let many transactions of one second be mined without running ahead of it
    node: {
      type: "edr-simulated",
      chainType: "l1",
      hardfork: "osaka",
      mining: { auto: true, interval: 1000 },
      allowBlocksWithSameTimestamp: true,
    },
    local: { type: "http", chainType: "l1", url: process.env.RPC_URL ?? "http://127.0.0.1:8545" },
  },
});
