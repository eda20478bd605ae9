import { requestRoot } from "@foldmark/machine/commitments";
import {
  answerDigest,
  answersFor,
  assetIdToUint,
  channelIdOf,
  isSameAddress,
  type Receipt,
  receiptDomain,
  recoverAnswerSigner,
  recoverReceipt,
  statementIdOf,
} from "@foldmark/protocol";
import { type ModelPackage, toHex } from "@foldmark/workloads";
import type { ChainReader } from "../chainReader.ts";
import { type Finding, fails, holds, unchecked } from "../finding.ts";

/** The gateway stands by this receipt as it is. */
export async function checkReceipt(receipt: Receipt): Promise<Finding> {
  const signer = await recoverReceipt(receipt);
  if (!isSameAddress(receipt.channel.signer, receipt.gateway))
    return fails("receipt", `the gateway ${receipt.gateway} is not the signer of the channel that paid`);
  return isSameAddress(signer, receipt.gateway)
    ? holds("receipt", `signed by the gateway ${receipt.gateway}`)
    : fails("receipt", `signed by ${signer}, but it names the gateway ${receipt.gateway}`);
}

/** The package at hand is the model that the receipt names, and the statement is about its program and weights. */
export function checkModel(receipt: Receipt, pkg: ModelPackage): Finding {
  const { kind, model, preimage } = receipt;
  const pairs: [string, string, string][] = [
    ["kind", kind, pkg.manifest.kind],
    ["asset", model.asset, pkg.assetId],
    ["modelId", model.modelId, pkg.modelId],
    ["packageHash", model.packageHash, pkg.packageHash],
    ["header", preimage.header, pkg.manifest.header],
    ["programRoot", preimage.programRoot, pkg.programRoot],
    ["weightsRoot", preimage.weightsRoot, pkg.weightsRoot],
  ];
  for (const [name, got, expected] of pairs)
    if (got !== expected) return fails("model", `its ${name} is ${got}, the package's is ${expected}`);
  if (pkg.isCustom)
    return fails("model", "no known family builds this program: what it calls true is its author's word");
  return holds("model", `${pkg.manifest.name}, asset ${pkg.assetId}`);
}

/** The signed statement is about exactly the tensors in the receipt. */
export function checkStatement(receipt: Receipt): Finding {
  const { preimage, answer } = receipt;
  const roots = { requestRoot: toHex(requestRoot(receipt.request)), claimedRoot: toHex(requestRoot(receipt.claimed)) };
  for (const name of ["requestRoot", "claimedRoot"] as const)
    if (preimage[name] !== roots[name]) return fails("statement", `its ${name} is not that of the receipt's tensors`);
  const id = statementIdOf(preimage);
  return id === answer.statementId
    ? holds("statement", `${id}, T = ${preimage.T}`)
    : fails("statement", `the provider signed ${answer.statementId}, the receipt's content is ${id}`);
}

/** The provider signed claim and charge, with a key that answers for its stake, and nobody has proved it false. */
export async function checkAnswer(receipt: Receipt, chain: ChainReader | undefined): Promise<Finding> {
  const { answer, answerSignature, channel } = receipt;
  const domain = receiptDomain(receipt);
  if (channelIdOf(domain, channel) !== answer.channelId)
    return fails("answer", `it names channel ${answer.channelId}, the receipt's terms are another channel`);
  if (!isSameAddress(answer.payee, channel.payee))
    return fails("answer", `it answers for ${answer.payee}, the channel pays ${channel.payee}`);
  if (channel.model !== assetIdToUint(receipt.model.asset))
    return fails("answer", `it was paid through a channel of another model: the model's owner gets no royalty`);
  if (answer.charged > answer.maxClaimableAmount)
    return fails("answer", `it charges ${answer.charged} of a voucher for ${answer.maxClaimableAmount}`);
  const digest = answerDigest(domain, answer);
  const convictedAt = chain && (await chain.convictedAt(digest));
  if (convictedAt) return fails("answer", `the court has convicted it at ${convictedAt} (${digest})`);
  const key = await recoverAnswerSigner(domain, { answer, signature: answerSignature });
  if (isSameAddress(key, answer.payee)) return holds("answer", `signed by the provider ${answer.payee}`);
  if (!chain)
    return unchecked("answer", `signed by ${key}; give a chain to see whether it answers for ${answer.payee}`);
  const until = await chain.answerableUntil(answer.payee, key);
  return answersFor({ until: answer.until, answerableUntil: until })
    ? holds("answer", `signed by ${key}, a key of the provider ${answer.payee}`)
    : fails("answer", `signed by ${key} (${digest}), which does not answer for ${answer.payee}`);
}
