import type { Engine } from "@foldmark/machine";
import { FoldmarkError, parseReceipt, type Receipt } from "@foldmark/protocol";
import {
  checkCallRequest,
  checkLlamaRequest,
  type ModelPackage,
  type Verdict,
  WorkloadError,
} from "@foldmark/workloads";
import { parseAsked } from "./asked.ts";
import type { ChainReader } from "./chainReader.ts";
import { checkCaller } from "./checks/caller.ts";
import { checkCut, checkRequest, checkText } from "./checks/chat.ts";
import { checkAnswer, checkModel, checkReceipt, checkStatement } from "./checks/evidence.ts";
import { execute, executionFinding } from "./checks/execution.ts";
import { checkInputs } from "./checks/inputs.ts";
import { checkMarket } from "./checks/market.ts";
import { checkOrder, checkPrice } from "./checks/order.ts";
import { checkCall } from "./checks/simulation.ts";
import { type Finding, fails, unchecked } from "./finding.ts";

export type VerifyOptions = {
  /** The model package, opened and so checked. Warning: its chat template runs on this thread, for as long as it likes. */
  package: ModelPackage;
  /** What the caller asked: the body of its request as JSON, or its messages alone. By default what `body` says. */
  messages?: unknown;
  /** The body of the caller's request as it was sent, byte for byte: the order of providers hangs on its hash. */
  body?: Uint8Array | string;
  /** The API key that the caller used: the order of providers hangs on its hash, too. */
  apiKey?: string;
  /** The text that the caller was shown. */
  text?: string;
  /** Whether the caller itself ended the answer, by leaving. */
  cut?: boolean;
  /** Where the market, operator keys and the routing's inputs are looked up. */
  chain?: ChainReader;
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
  const { package: pkg, chain, body, apiKey } = options;
  const findings: Finding[] = [await checkReceipt(receipt), checkMarket(receipt, chain), checkModel(receipt, pkg)];
  findings.push(checkStatement(receipt), await checkAnswer(receipt, chain));
  findings.push(checkCaller(receipt, { body, apiKey }));
  // behind a statement that is not about this package nothing can be read
  if (findings.some(({ check, status }) => status === "fails" && (check === "model" || check === "statement")))
    return { ok: false, findings: [...findings, unchecked("execution", "the receipt is not about this package")] };

  const impossible = impossibility(receipt, pkg);
  if (impossible) {
    findings.push(fails("request", impossible), unchecked("execution", "no answer to this request is true"));
    return { ok: false, findings };
  }
  const asked = options.messages ?? (body === undefined ? undefined : parseBody(body));
  findings.push(
    ...(receipt.kind === "chat" ? chatFindings(receipt, asked, options) : [checkCall(receipt, pkg, asked)]),
    ...[checkOrder(receipt), await checkInputs(receipt, chain), checkPrice(receipt)],
  );
  const execution = await withEngine(options, (engine) => execute(receipt, { pkg, engine }));
  findings.push(executionFinding(execution));
  return { ok: findings.every(({ status }) => status !== "fails"), findings, execution };
}

/** Why no answer to a request could be true, if that is so. */
function impossibility({ kind, request }: Receipt, pkg: ModelPackage): string | undefined {
  const { maxT } = pkg.program;
  try {
    if (kind === "chat") checkLlamaRequest(request, { maxT, vocabulary: pkg.tokenizer().vocabulary });
    else checkCallRequest(request, { maxT });
    return undefined;
  } catch (error) {
    if (error instanceof WorkloadError) return error.message;
    throw error;
  }
}

/** @throws `request.invalid` */
function parseBody(body: Uint8Array | string): unknown {
  try {
    return JSON.parse(typeof body === "string" ? body : new TextDecoder("utf-8", { fatal: true }).decode(body));
  } catch (cause) {
    throw new FoldmarkError("request.invalid", "The body is no JSON.", { cause });
  }
}

function chatFindings(receipt: Receipt, json: unknown, { package: pkg, text, cut = false }: VerifyOptions): Finding[] {
  const chat = { receipt, pkg };
  const asked = json === undefined ? undefined : parseAsked(json);
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
