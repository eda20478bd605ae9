// Whoever holds receipts and computes them again, as a process: it challenges what is false with the node's own code and
// plays until each game is over.
//   node test/adversaries/lies/challenger.ts ORDER.json
import { clearRefutation } from "@foldmark/machine";
import { buildTrace, localTrace, playChallenge } from "@foldmark/node";
import { answerDigest, codeOf, type Deployment, domainOf, FoldmarkError } from "@foldmark/protocol";
import { createLogger } from "@foldmark/service";
import { challengersKey, openCourtroom, preimageOf, readOrder, say } from "./court.ts";
import { decodeEvidence, type Evidence } from "./evidence.ts";
import { MODELS, type Model, type ModelName } from "./models.ts";

export type ChallengerOrder = {
  rpc: string;
  deployment: Deployment;
  pollMs: number;
  /** Whose keys are used, one for each answer. */
  name: string;
  receipts: unknown[];
  /** Its keys have their bonds already. */
  isFunded?: boolean;
};

const log = createLogger({ name: "challenger", level: "error" });
const { rpc, deployment, pollMs, name, receipts, isFunded } = readOrder<ChallengerOrder>();
const room = await openCourtroom({ rpc, deployment });

const models = new Map<ModelName, Promise<Model>>();
function modelOf(wanted: ModelName): Promise<Model> {
  const model = models.get(wanted) ?? MODELS[wanted]();
  models.set(wanted, model);
  return model;
}

async function challenge(evidence: Evidence): Promise<object> {
  const { answer, signature, preimage, job, bytes } = evidence;
  const person = await room.person(challengersKey(name, evidence));
  if (!isFunded) await person.mint(room.court.terms.bond);
  if (bytes) return challengeBytes(evidence, person);
  const model = await modelOf(evidence.ordered.model);
  const known = preimageOf(model, job);
  if (known.programRoot !== preimage.programRoot || known.weightsRoot !== preimage.weightsRoot)
    return { result: "another model" };
  const { program, constants } = model;
  const source = (i: number) => constants[i] ?? new Uint8Array();
  try {
    const { result, paid, moves } = await playChallenge(
      { answer, signature, preimage, program, job: { folder: "", ...job } },
      {
        ...{ court: room.court, sender: person.sender, log, pollMs, asksNode: false },
        openTrace: async () => localTrace(await buildTrace(program, source, job), { program, constants: source, job }),
        onMove: ({ move }) => say({ event: "moved", name: evidence.name, move }),
      },
    );
    return { result, paid, moves: moves.map(({ move }) => move) };
  } catch (error) {
    if (codeOf(error) === "check.failed") return { result: "true" };
    if (codeOf(error) === "chain.reverted" && error instanceof FoldmarkError) return { result: error.details.error };
    return { result: error instanceof Error ? error.stack : String(error) };
  }
}

type Person = Awaited<ReturnType<typeof room.person>>;

/** A program that no loader opens is refuted by what its bytes are. */
async function challengeBytes({ answer, signature, preimage, bytes, job }: Evidence, { moves, account }: Person) {
  const clear = bytes && clearRefutation(bytes, job.T);
  if (!clear) return { result: "true" };
  const made = [await moves.approve(), await moves.challenge({ answer, signature, preimage })];
  const id = await room.court.challengeId(answerDigest(domainOf(deployment), answer), account.address);
  made.push(await moves.refute(id, preimage, clear));
  return { result: "convicted", moves: made.flatMap((moved) => (moved ? [moved.move] : [])) };
}

say({ event: "ready" });
await Promise.all(
  receipts.map(async (json) => {
    const evidence = decodeEvidence(json);
    say({ event: "outcome", name: evidence.name, ...(await challenge(evidence)) });
  }),
);
