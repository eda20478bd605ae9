import { readFile } from "node:fs/promises";
import hre from "hardhat";

/** Whether the contracts at hand are those that are deployed: `hardhat build --build-profile production`. */
export async function isProductionBuild(): Promise<boolean> {
  const id = await hre.artifacts.getBuildInfoId("contracts/market/PaymentChannels.sol:PaymentChannels");
  const file = id && (await hre.artifacts.getBuildInfoPath(id));
  if (!file) throw new Error("The contracts have not been built.");
  const info = JSON.parse(await readFile(file, "utf8"));
  return info.input.settings.viaIR === true;
}
