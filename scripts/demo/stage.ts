import type { Receipt, ReceiptJson } from "@foldmark/protocol";
import type { ModelPackage } from "@foldmark/workloads";
import type { Address } from "viem";
import type { Funder } from "./funder.ts";
import type { Liar } from "./liar.ts";
import type { DemoOptions } from "./options.ts";
import type { Running } from "./processes.ts";
import type { Chain } from "./steps/chain.ts";

/** A home folder of `foldmark` with its key. */
export type Home = { folder: string; passwordFile: string; address: Address };

export type Provider = Home & { name: string; process: Running; url: string; tokensPerSecond: number };

/** An answer as its caller has it: what was asked, what was shown, and the evidence. */
export type Served = {
  /** The request's body as it was sent. */
  body: string;
  text: string;
  receipt: Receipt;
  json: ReceiptJson;
};

/** What the steps of the story leave for each other. */
export type Stage = {
  options: DemoOptions;
  /** Folder of this run, removed at its end. */
  work: string;
  chain?: Chain;
  funder?: Funder;
  owner?: Home;
  chat?: ModelPackage;
  simulation?: ModelPackage;
  providers: Provider[];
  gateway?: { url: string; apiKey: string; address: Address };
  answers: Served[];
  /** The last answer that a check has found true. */
  checked?: Served;
  /** Somebody with a key and a bond who challenges what is false. */
  challenger?: Home & { name: string };
  /** A provider whose false answers nobody has found out yet. */
  silent?: Liar;
};

/** What an earlier step has left. */
export function need<Key extends keyof Stage>(stage: Stage, key: Key): NonNullable<Stage[Key]> {
  const value = stage[key];
  if (value === undefined || value === null) throw new Error(`the story has no ${key} yet`);
  return value as NonNullable<Stage[Key]>;
}
