// Requests a view, and parses the headers of its answer.

import { send } from "./send.js";

// Everything that the page shows of one answer; `status` is 0 without one. A write passes
// `{ method, body, key }`.
export async function ask(url, signal, sent = {}) {
  const begun = performance.now();
  try {
    const response = await send(url, { signal, ...request(sent) });
    const text = await response.text();
    const timing = timings(response.headers.get("Server-Timing") ?? "");
    const total = timing.get("view-total")?.dur ?? performance.now() - begun;
    return {
      url,
      status: response.status,
      type: (response.headers.get("Content-Type") ?? "").split(";")[0],
      cache: response.headers.get("Cache-Control") ?? "",
      kept: /^bff; hit/.test(response.headers.get("Cache-Status") ?? ""),
      replayed: response.headers.get("Idempotency-Replayed") === "true",
      retryAfter: Number(response.headers.get("Retry-After") ?? 1),
      size: new TextEncoder().encode(text).length,
      value: decode(text),
      total,
      calls: outcomes(response.headers.get("BFF-Calls") ?? "").map((call) => ({
        ...call,
        start: timing.get(call.name)?.start ?? null,
        dur: timing.get(call.name)?.dur ?? null,
      })),
    };
  } catch (error) {
    if (error.name === "AbortError") throw error;
    return { url, status: 0, type: "", cache: "", size: 0, value: null, total: 0, calls: [] };
  }
}

function request({ method = "GET", body, key }) {
  return {
    method,
    body: body && JSON.stringify(body),
    headers: {
      Accept: "application/json",
      ...(body && { "Content-Type": "application/json" }),
      ...(key && { "Idempotency-Key": `"${key}"` }),
    },
  };
}

function decode(text) {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

// BFF-Calls, a dictionary of RFC 9651: `orders=fallback;reason=status;status=503, user=ok`.
export function outcomes(header) {
  return header.split(",").map((member) => member.trim()).filter(Boolean).map((member) => {
    const [pair, ...rest] = member.split(";");
    const [name, outcome = "ok"] = pair.split("=");
    const about = Object.fromEntries(rest.map((each) => each.trim().split("=")));
    return { name, outcome, ...about };
  });
}

// Server-Timing: `user;dur=12.3;desc="ok 3.1", total;dur=40`; the second word of desc is the start.
export function timings(header) {
  const found = new Map();
  for (const [, name, rest] of header.matchAll(/([\w.-]+)((?:;\w+=(?:"[^"]*"|[^;,]*))*)/g)) {
    const dur = Number(/;dur=([\d.]+)/.exec(rest)?.[1] ?? NaN);
    const start = Number(/;desc="\w+ ([\d.]+)"/.exec(rest)?.[1] ?? NaN);
    found.set(name, { dur: Number.isNaN(dur) ? null : dur, start: Number.isNaN(start) ? null : start });
  }
  return found;
}

export const isProblem = (answer) => answer.status === 0 || answer.status >= 400;

export const isSignedOut = (answer) => answer.status === 401;

const HARMLESS = new Set(["ok", "skipped", "stale"]);
export const degraded = (answer) => answer.calls.filter((call) => !HARMLESS.has(call.outcome));

// The verdict on an answer: complete, partial, locked or problem.
export function verdict(answer) {
  if (isSignedOut(answer)) return "locked";
  if (isProblem(answer)) return "problem";
  return degraded(answer).length ? "partial" : "complete";
}

// The reason for the outcome of a call, as text; empty when it is ok.
export function because(call, service) {
  const who = service ?? "the service";
  const words = {
    timeout: `${who} took too long`,
    unreachable: `${who} is unreachable`,
    status: call.status === "501" ? `${who} has no recording of that request (501)` : `${who} answered ${call.status}`,
    bad_reply: `${who} sent a bad reply`,
    unfillable: "its request could not be filled in",
    when: "its condition was not met",
    dependency: "a call it needs has failed",
    cancelled: "its result was no longer needed",
    too_many: "the view would have made too many calls",
    shape: "the shape could not be filled",
    credentials: "no credentials were available",
    circuit_open: `the circuit breaker of ${who} is open: too many calls have failed`,
    limit: `the concurrency limit of ${who} is reached`,
  };
  return call.reason ? words[call.reason] ?? call.reason : "";
}

export const outcomeWords = (call) =>
  [call.outcome, call.reason === "status" ? call.status : call.reason?.replace("_", " ")].filter(Boolean).join(" · ");
