// A market with people around it: keys that sign, purses that challenge.
import {
  type Answer,
  answerDigest,
  baseUnits,
  type Domain,
  signAnswer,
  statementIdOf,
  toChannelId,
  toCompactSignature,
} from "@foldmark/protocol";
import { type Address, getAddress, type Hex, keccak256, numberToHex, stringToHex } from "viem";
import { type PrivateKeyAccount, privateKeyToAccount } from "viem/accounts";
import { aRegistration, assetIdOf, commitmentOf } from "../market.ts";
import { type GameChain, type GameTerms, openGameChain } from "./chain.ts";
import type { Subject } from "./subject.ts";

export const TUSD = 1_000_000n;

/** The clocks of the local demo. */
export const DEMO_TERMS: GameTerms = {
  ...{ windowSeconds: 600n, noticeSeconds: 600n, penalty: 10n * TUSD, bond: 2n * TUSD },
  ...{ payeeClockSeconds: 300n, challengerClockSeconds: 300n, slotStepSeconds: 15n, floorSeconds: 60n },
};

const DAY = 86_400n;
/** The clocks of a real chain. */
export const REAL_TERMS: GameTerms = {
  ...{ windowSeconds: 3n * DAY, noticeSeconds: DAY, penalty: 10n * TUSD, bond: 2n * TUSD },
  ...{ payeeClockSeconds: DAY, challengerClockSeconds: DAY, slotStepSeconds: 3_600n, floorSeconds: 7_200n },
};

export const holdOf = ({ windowSeconds, payeeClockSeconds, challengerClockSeconds }: GameTerms): number =>
  Number(windowSeconds + payeeClockSeconds + challengerClockSeconds);

/** Somebody with a key, always the same one for a name. */
export const keyOf = (name: string): PrivateKeyAccount => privateKeyToAccount(keccak256(stringToHex(name)));
/** An account without a key: the chain takes its word. */
export const addressOf = (name: string): Address => getAddress(`0x${keccak256(stringToHex(name)).slice(-40)}`);

export type SignedAnswer = { answer: Answer; digest: Hex; r: Hex; vs: Hex; subject: Subject };

export type Table = Awaited<ReturnType<typeof openTable>>;

export async function openTable(terms: GameTerms = DEMO_TERMS) {
  const chain: GameChain = await openGameChain(terms);
  const domain: Domain = {
    name: "Foldmark",
    version: "1",
    chainId: 31337,
    verifyingContract: chain.addresses.channels,
  };
  let answers = 0;

  async function must(sent: ReturnType<GameChain["send"]>): Promise<void> {
    const outcome = await sent;
    if (!outcome.ok) throw new Error(`what had to succeed reverted: ${outcome.error}`);
  }
  /** Money in somebody's hands, which court and channels may take. */
  async function fund(account: Address, amount: bigint): Promise<void> {
    await must(chain.send(account, "token", { functionName: "mint", args: [account, amount] }));
    for (const spender of [chain.addresses.court, chain.addresses.channels])
      await must(chain.send(account, "token", { functionName: "approve", args: [spender, 2n ** 255n] }));
  }

  const author = addressOf("author");
  const registration = { ...aRegistration(), royaltyBps: 700 };
  const model = assetIdOf(registration);
  const committed = [commitmentOf(model, author, registration.salt)] as const;
  await must(chain.send(author, "models", { functionName: "commit", args: committed }));
  await must(chain.send(author, "models", { functionName: "register", args: [registration] }));

  return {
    author,
    /** A model with a royalty: what is paid for it is held. */
    model,
    chain,
    domain,
    terms,
    must,
    fund,
    async stake(payee: Address, amount: bigint): Promise<void> {
      await fund(payee, amount);
      await must(chain.send(payee, "channels", { functionName: "stake", args: [amount] }));
    },
    /** An answer as a key signs it, one for each call. */
    async sign(
      subject: Subject,
      { payee, key, until }: { payee: Address; key: PrivateKeyAccount; until: number },
      channelId: Hex = numberToHex(++answers, { size: 32 }),
    ): Promise<SignedAnswer> {
      const answer: Answer = {
        ...{ payee, statementId: statementIdOf(subject.preimage), channelId: toChannelId(channelId) },
        ...{ maxClaimableAmount: baseUnits(5n), charged: baseUnits(5n), until: BigInt(until) },
      };
      const { r, vs } = toCompactSignature(await signAnswer(key, domain, answer));
      return { answer, digest: answerDigest(domain, answer), r, vs, subject };
    },
  };
}
