import type { Engine } from "@foldmark/machine";
import { parseReceipt, type Receipt } from "@foldmark/protocol";
import type { ModelPackage, Verdict } from "@foldmark/workloads";
import { parseAsked } from "./asked.ts";
import { checkCut, checkRequest, checkText } from "./checks/chat.ts";
import { checkAnswer, checkModel, checkReceipt, checkStatement, type KeyReader } from "./checks/evidence.ts";
import { execute, executionFinding } from "./checks/execution.ts";
import { checkOrder, checkPrice } from "./checks/order.ts";
import { type Finding, unchecked } from "./finding.ts";

export type VerifyOptions = {
  /** The model package, opened and so checked. */
  package: ModelPackage;
  /** What the caller asked: the body of its request, or its messages alone. Without it the request is not compared. */
  messages?: unknown;
  /** The text that the caller was shown. */
  text?: string;
  /** Whether the caller itself ended the answer, by leaving. */
  cut?: boolean;
  /** Where operator keys are looked up. Needed only where another key than the provider's own signed. */
  chain?: KeyReader;
  /** An engine with this package loaded. Without it one is opened for this check and closed again. */
  engine?: Engine;
};

export type Verification = {
  /** Nothing failed, and the answer was computed again. */
  ok: boolean;
  findings: Finding[];
  /** The result of computing the answer again; absent where the receipt is not about this package. */
  execution?: Verdict;
};

/**
 * Checks everything about a receipt that can be checked: who signed, what model, what was asked, what was paid, who was
 * chosen, and the answer itself by computing it again.
 * @param json - a receipt as JSON, as `GET /v1/receipts/:id` gives it
 * @throws `receipt.malformed`, `request.invalid` for messages that cannot be read
 */
export async function verify(json: unknown, options: VerifyOptions): Promise<Verification> {
  const receipt = parseReceipt(json);
  const { package: pkg, chain } = options;
  const findings: Finding[] = [await checkReceipt(receipt), checkModel(receipt, pkg), checkStatement(receipt)];
  findings.push(await checkAnswer(receipt, chain));
  // behind a statement that is not about this package nothing can be read
  if (findings.some(({ check, status }) => status === "fails" && (check === "model" || check === "statement")))
    return { ok: false, findings: [...findings, unchecked("execution", "the receipt is not about this package")] };

  if (receipt.kind === "chat") findings.push(...chatFindings(receipt, options));
  findings.push(checkOrder(receipt), checkPrice(receipt));

  const execution = await withEngine(options, (engine) => execute(receipt, { pkg, engine }));
  findings.push(executionFinding(execution));
  return { ok: findings.every(({ status }) => status !== "fails"), findings, execution };
}

function chatFindings(receipt: Receipt, { package: pkg, messages, text, cut = false }: VerifyOptions): Finding[] {
  const chat = { receipt, pkg };
  const asked = messages === undefined ? undefined : parseAsked(messages);
  return [checkRequest(chat, asked), checkText(chat, { asked, text }), checkCut(chat, { asked, cut })];
}

async function withEngine<Result>(
  { engine, package: pkg }: VerifyOptions,
  work: (engine: Engine) => Result,
): Promise<Result> {
  if (engine) return work(engine);
  const { openWasm } = await import("@foldmark/machine");
  const opened = await openWasm(pkg.program, pkg.constants);
  try {
    return work(opened);
  } finally {
    opened.close();
  }
}
