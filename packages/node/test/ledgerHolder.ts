// Opens the ledger of a folder, answers one voucher, takes another, says so and waits to be killed.
import { baseUnits } from "@foldmark/protocol";
import { Ledger } from "../src/store/ledger.ts";
import { aBox, aChannelId, aVoucher, OWNER } from "./builders.ts";

const ledger = Ledger.open(process.argv[2] ?? "", { owner: OWNER, box: aBox() });
ledger.accept(aVoucher(100n), 1);
ledger.answer({ channelId: aChannelId(), ceiling: baseUnits(100n), price: baseUnits(60n), at: 1 }, () => ({
  statementId: `0x${"22".repeat(32)}`,
  until: 1_000,
  signature: `0x${"cd".repeat(65)}`,
  evidence: Buffer.from("evidence"),
}));
ledger.accept(aVoucher(200n), 1);
process.stdout.write("answered 100, in flight 200\n");
setInterval(() => ledger.openAnswers(), 1_000);
