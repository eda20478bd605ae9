// Opens an engine of three threads, uses it, closes it, opens another one and leaves that open.
import { openWasmWith, programBuilder } from "../../../src/index.ts";

const p = programBuilder({ maxT: 4 });
p.fold({ type: "i8" }, () => 1);
const program = p.build();
const results: string[] = [];
for (const closes of [true, false]) {
  const engine = await openWasmWith(program, () => new Uint8Array(), { threads: 3 });
  results.push(String(engine.run({ T: 3, request: [], claimed: [], want: [{ stage: 0, fold: 0, steps: "all" }] })[0]));
  if (closes) engine.close();
}
process.stdout.write(`${results.join(" ")}\n`);
