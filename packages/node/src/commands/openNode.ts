import { connectMarket, type Market, readDeployment } from "../chain/market.ts";
import { type Sender, senderOf } from "../chain/transact.ts";
import { type NodeConfig, readConfig } from "../config.ts";
import { keystoreAddress, type NodeKey, openKeystore } from "../keystore/keystore.ts";
import { readPassword } from "../keystore/password.ts";
import type { CommandInput } from "./command.ts";

/** Settings of the command's folder, with its flags on top. */
export const openConfig = ({ context, flags }: CommandInput): Promise<NodeConfig> =>
  readConfig(context.home, { variables: context.variables, flags });

/** @throws `keystore.*`, `config.unreadable`, `cli.no_terminal` */
export async function openKey({ signer }: NodeConfig): Promise<NodeKey> {
  keystoreAddress(signer.keystore); // nobody is asked for the password of a keystore that is not there
  return openKeystore(
    signer.keystore,
    await readPassword(signer.passwordFile, { message: "Password of the keystore" }),
  );
}

/** Settings, chain and key: what a command that sends transactions needs. */
export async function openNode(
  input: CommandInput,
): Promise<{ config: NodeConfig; market: Market; key: NodeKey; sender: Sender }> {
  const config = await openConfig(input);
  const deployment = await readDeployment(config.network.deployment);
  const market = await connectMarket({ ...config.network, deployment });
  const key = await openKey(config);
  return { config, market, key, sender: senderOf(market, key.account) };
}
