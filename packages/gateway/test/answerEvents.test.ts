import { Readable } from "node:stream";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type AnswerEvent, readAnswerEvents } from "../src/providers/answerEvents.ts";

async function read(chunks: Uint8Array[], maxBytes = 10_000): Promise<AnswerEvent[]> {
  const events: AnswerEvent[] = [];
  for await (const event of readAnswerEvents(Readable.from(chunks), { maxBytes })) events.push(event);
  return events;
}
const bytes = (text: string) => [Buffer.from(text)];

describe("readAnswerEvents", () => {
  it("reads the same events however the bytes are cut", async () => {
    const text = ': waiting\n\nevent: hint\ndata: {"agreed":2}\n\nevent: tokens\ndata: {"tokens":[1,2]}\n\n';
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat({ max: text.length }), { maxLength: 8 }), async (places) => {
        const cuts = [0, ...places.toSorted((a, b) => a - b), text.length];
        const chunks = cuts.slice(1).map((end, i) => Buffer.from(text.slice(cuts[i], end)));
        expect(await read(chunks)).toEqual([
          { type: "hint", agreed: 2 },
          { type: "tokens", tokens: [1, 2] },
        ]);
      }),
      { seed: 7, numRuns: 30 },
    );
  });

  it.each([
    { input: "an unknown event", text: "event: more\ndata: {}\n\n" },
    { input: "an event without a name", text: "data: {}\n\n" },
    { input: "data that is no JSON", text: "event: tokens\ndata: {\n\n" },
    { input: "a token that is no number", text: 'event: tokens\ndata: {"tokens":["1"]}\n\n' },
    { input: "a negative token", text: 'event: tokens\ndata: {"tokens":[-1]}\n\n' },
    { input: "a payment without an answer", text: "event: payment\ndata: {}\n\n" },
    { input: "an unknown field", text: 'event: hint\ndata: {"agreed":1,"more":1}\n\n' },
  ])("refuses $input", async ({ text }) => {
    await expect(read(bytes(text))).rejects.toMatchObject({ code: "provider.malformed" });
  });

  it("stops at its limit, in one line and over many", async () => {
    await expect(read(bytes(`data: ${"x".repeat(2_000)}`), 1_000)).rejects.toMatchObject({
      code: "provider.malformed",
    });
    await expect(
      read(
        Array.from({ length: 300 }, () => Buffer.from(": w\n\n")),
        1_000,
      ),
    ).rejects.toMatchObject({
      code: "provider.malformed",
    });
  });
});
