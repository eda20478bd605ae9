import { progress } from "@clack/prompts";
import type { CommandContext } from "./command.ts";

/** Shows how far the steps of a long command are: a bar at a terminal, else a line when a step begins. */
export type Steps = { at(step: string, done: number, total: number): void; end(): void };

export function showSteps({ isInteractive, say }: CommandContext): Steps {
  return isInteractive ? bars() : lines(say);
}

const PERCENT = 100;

function bars(): Steps {
  let current: { step: string; bar: ReturnType<typeof progress>; shown: number } | undefined;
  const end = () => {
    current?.bar.stop(current.step);
    current = undefined;
  };
  return {
    at(step, done, total) {
      if (current?.step !== step) {
        end();
        current = { step, bar: progress({ max: PERCENT }), shown: 0 };
        current.bar.start(step);
      }
      const percent = total > 0 ? Math.floor((done * PERCENT) / total) : 0;
      if (percent <= current.shown) return;
      current.bar.advance(percent - current.shown, step);
      current.shown = percent;
    },
    end,
  };
}

function lines(say: (line: string) => void): Steps {
  let last: string | undefined;
  return {
    at(step) {
      if (step === last) return;
      last = step;
      say(step);
    },
    end() {},
  };
}
