import { FoldmarkError } from "@foldmark/protocol";
import type { z } from "zod";
import { NEUTRAL } from "./chatRequest.ts";

type Issue = z.core.$ZodIssue;

/**
 * A request body as its schema wants it.
 * @throws `request.unknown_parameter`, `request.unsupported_parameter` or `request.invalid`, naming the parameter
 */
export function parseRequest<Schema extends z.ZodType>(schema: Schema, body: unknown): z.output<Schema> {
  const parsed = schema.safeParse(body, { reportInput: true });
  if (parsed.success) return parsed.data;
  throw requestError(deepest(parsed.error.issues, []));
}

/** The issue to show: of a union the branch that came furthest. Paths are from the body's root. */
function deepest(issues: readonly Issue[], path: readonly PropertyKey[]): Issue {
  const [first, ...rest] = issues.map((issue) => {
    const at = [...path, ...issue.path];
    if (issue.code !== "invalid_union" || issue.errors.length === 0) return { ...issue, path: at };
    const inner = issue.errors.map((branch) => deepest(branch, at));
    const furthest = inner.reduce((best, next) => (next.path.length > best.path.length ? next : best));
    return furthest.path.length > at.length ? furthest : { ...issue, path: at };
  });
  if (!first) throw new FoldmarkError("internal.bug", "A schema refused a body without an issue.");
  // an unknown name says more than what else is wrong with a body that was meant for another API
  return rest.find(({ code }) => code === "unrecognized_keys") ?? first;
}

function requestError(issue: Issue): FoldmarkError {
  if (issue.code === "unrecognized_keys") {
    const param = nameOf([...issue.path, issue.keys[0] ?? ""]);
    return new FoldmarkError("request.unknown_parameter", `Unknown parameter: '${param}'.`, { details: { param } });
  }
  const param = nameOf(issue.path);
  const [top] = issue.path;
  if (typeof top === "string" && Object.hasOwn(NEUTRAL, top))
    return new FoldmarkError("request.unsupported_parameter", `'${top}' is not supported with this value.`, {
      details: { param: top },
      hint: "Leave it out, or give it the value that changes nothing.",
    });
  if (issue.input === undefined && issue.path.length > 0)
    return new FoldmarkError("request.invalid", `Missing required parameter: '${param}'.`, { details: { param } });
  if (issue.path.length === 0)
    return new FoldmarkError("request.invalid", "The body must be a JSON object.", { details: { param: null } });
  return new FoldmarkError("request.invalid", `Invalid value for '${param}': ${issue.message}.`, {
    details: { param },
  });
}

const LONGEST_NAME = 200;

/** As OpenAI writes it: `messages[0].content`. A client's own names may be long: what is said of them is not. */
function nameOf(path: readonly PropertyKey[]): string {
  const name = path
    .map((part, i) => (typeof part === "number" ? `[${part}]` : `${i > 0 ? "." : ""}${String(part)}`))
    .join("");
  return name.length > LONGEST_NAME ? `${name.slice(0, LONGEST_NAME)}...` : name;
}
