import { existsSync, readFileSync } from "node:fs";
import { EXIT, FoldmarkError } from "@foldmark/protocol";
import type { ChainReader } from "@foldmark/sdk";
import { verify as verifyReceipt } from "@foldmark/sdk/verify";
import { families, openPackage } from "@foldmark/workloads";
import { chainReader } from "../chain/chainReader.ts";
import { connectMarket, readDeployment } from "../chain/market.ts";
import type { NodeConfig } from "../config.ts";
import { type Command, type CommandInput, OPTION } from "./command.ts";
import { openConfig } from "./openNode.ts";
import { receiptIn } from "./receiptFile.ts";
import { packageOfReceipt } from "./receiptPackage.ts";
import { table } from "./table.ts";

export const verify: Command = {
  name: "verify",
  summary: "Check a receipt: signatures, routing, price, and the answer itself by computing it again",
  args: [{ name: "receipt", summary: "file with a receipt, or with an answer that holds one" }],
  options: [
    { flags: "--messages <file>", summary: "what was asked: the messages, or the whole body that was sent" },
    { flags: "--body <file>", summary: "the body that was sent, byte for byte: then its hash is compared, too" },
    { flags: "--api-key-file <file>", summary: "file whose first line is the API key that was used" },
    { flags: "--text <file>", summary: "the text that was shown" },
    { flags: "--cut", summary: "the caller itself ended the answer" },
    { flags: "--package <dir>", summary: "package of the model; by default the installed one" },
    ...[OPTION.rpc, OPTION.deployment],
  ],
  async run(input) {
    const { args, options } = input;
    const json = receiptIn(readJson(String(args[0])));
    const config = await openConfig(input);
    const chain = await readerOf(config, input);
    const verification = await verifyReceipt(json, {
      package: await openPackage(await packageOfReceipt(json, input, config), { families, verify: "once" }),
      cut: options.cut === true,
      ...(typeof options.messages === "string" ? { messages: readJson(options.messages) } : {}),
      ...(typeof options.body === "string" ? { body: read(options.body) } : {}),
      ...(typeof options.apiKeyFile === "string" ? { apiKey: firstLine(read(options.apiKeyFile)) } : {}),
      ...(typeof options.text === "string" ? { text: read(options.text) } : {}),
      ...(chain ? { chain } : {}),
    });
    const { ok, findings } = verification;
    return {
      data: verification,
      text: [
        table(
          ["check", "result", "finding"],
          findings.map(({ check, status, detail }) => [check, status, detail]),
        ),
        ok ? "the receipt holds" : "the receipt does not hold",
      ].join("\n"),
      exit: ok ? EXIT.done : EXIT.checkFailed,
    };
  },
};

/**
 * The chain is asked where this folder knows a deployment and somebody answers; else the findings say what was not looked
 * up.
 */
async function readerOf({ network }: NodeConfig, { context }: CommandInput): Promise<ChainReader | undefined> {
  if (!existsSync(network.deployment)) return undefined;
  const deployment = await readDeployment(network.deployment);
  try {
    return chainReader(await connectMarket({ ...network, deployment }));
  } catch (error) {
    if (!(error instanceof FoldmarkError) || error.code !== "chain.unreachable") throw error;
    context.err(`foldmark: ${error.message} What is looked up on the chain stays unchecked.\n`);
    return undefined;
  }
}

function read(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (cause) {
    throw new FoldmarkError("config.unreadable", `${file} cannot be read.`, { details: { file }, cause });
  }
}

const firstLine = (text: string): string => text.split(/\r?\n/, 1)[0] ?? "";

function readJson(file: string): unknown {
  const text = read(file);
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new FoldmarkError("config.unreadable", `${file} is not valid JSON.`, { details: { file }, cause });
  }
}
