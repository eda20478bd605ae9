// Fails when a contract of the production build is larger than the chain takes (EIP-170, EIP-3860). Prints each size.
import { artifacts } from "hardhat";

const MAX_CODE_BYTES = 24_576;
const MAX_INIT_CODE_BYTES = 49_152;
const bytes = (hex: string) => (hex.length - 2) / 2;
for (const name of await artifacts.getAllFullyQualifiedNames()) {
  if (!name.startsWith("contracts/") || name.includes(".t.sol:") || name.startsWith("contracts/mocks/")) continue;
  const { deployedBytecode, bytecode } = await artifacts.readArtifact(name);
  const [code, init] = [bytes(deployedBytecode), bytes(bytecode)];
  if (code === 0) continue;
  console.log(`${name.slice(name.lastIndexOf(":") + 1)}: ${code} bytes of code, ${init} to deploy`);
  if (code > MAX_CODE_BYTES) throw new Error(`${name} has ${code} bytes of code, the limit is ${MAX_CODE_BYTES}`);
  if (init > MAX_INIT_CODE_BYTES)
    throw new Error(`${name} deploys with ${init} bytes, the limit is ${MAX_INIT_CODE_BYTES}`);
}
