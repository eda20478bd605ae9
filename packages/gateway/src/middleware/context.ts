import { randomUUID } from "node:crypto";
import type { RequestHandler, Response } from "express";
import type { Caller } from "../store/apiKeys.ts";

/** What middlewares find out about a request. */
type Locals = { requestId: string; caller?: Caller; errorCode?: string };

const localsOf = (response: Response): Locals => response.locals as Locals;

/** Gives every request an id of our own; clients see it as `x-request-id`. */
export function requestContext(): RequestHandler {
  return (_request, response, next) => {
    const requestId = `req_${randomUUID().replaceAll("-", "")}`;
    localsOf(response).requestId = requestId;
    response.setHeader("x-request-id", requestId);
    next();
  };
}

export const requestIdOf = (response: Response): string => localsOf(response).requestId;

export function setCaller(response: Response, caller: Caller): void {
  localsOf(response).caller = caller;
}

/** The caller of a route behind `requireApiKey`. */
export function callerOf(response: Response): Caller {
  const { caller } = localsOf(response);
  if (!caller) throw new Error("the route is not behind requireApiKey");
  return caller;
}

export const findCallerOf = (response: Response): Caller | undefined => localsOf(response).caller;

export function setErrorCode(response: Response, code: string): void {
  localsOf(response).errorCode = code;
}
export const errorCodeOf = (response: Response): string | undefined => localsOf(response).errorCode;
