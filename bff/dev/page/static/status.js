// The summary of an answer: its status line, its history, and the sentence for screen readers.

import { because, degraded, isProblem, isSignedOut, verdict } from "./answer.js";
import { bytes, el, milliseconds, svg } from "./dom.js";

export const NAMES = {
  0: "no answer", 200: "OK", 201: "Created", 400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 409: "Conflict", 422: "Unprocessable Content", 429: "Too Many Requests",
  500: "Internal Server Error", 502: "Bad Gateway", 503: "Service Unavailable", 504: "Gateway Timeout",
};
const MOST = 40;

export function statusLine(answer) {
  const how = verdict(answer);
  const count = answer.calls.length;
  const words = {
    complete: answer.kept ? "cached, no call" : count === 1 ? "complete, 1 call" : `complete, ${count} calls`,
    partial: `partial, ${degraded(answer).length} of ${count} calls degraded`,
    locked: "not signed in",
    problem: "problem",
  };
  return el("p", { class: "status" },
    el("span", { class: `verdict is-${how}` }, el("span", { class: "dot", "aria-hidden": "true" }), words[how]),
    el("span", { class: "code" }, answer.status ? `${answer.status} ${NAMES[answer.status] ?? ""}` : NAMES[0]),
    el("span", {}, el("span", { class: "unseen" }, "total "), milliseconds(answer.total)),
    el("span", {}, bytes(answer.size)),
    answer.cache && el("span", { class: "cache" }, el("span", { class: "unseen" }, "Cache-Control: "), answer.cache));
}

// The last answers as bars: duration and verdict.
export function past() {
  const answers = [];
  return {
    add(answer) {
      answers.push({ how: verdict(answer), total: answer.total });
      if (answers.length > MOST) answers.shift();
    },
    draw() {
      const longest = Math.max(100, ...answers.map((each) => each.total));
      const bars = answers.map(({ how, total }, index) => {
        const height = Math.max(2, (total / longest) * 22);
        return svg("rect", { class: `is-${how}`, x: (MOST - answers.length + index) * 4, y: 22 - height, width: 3, height });
      });
      return svg("svg", {
        class: "past", viewBox: `0 0 ${MOST * 4} 22`, preserveAspectRatio: "xMaxYMax meet", role: "img",
        "aria-label": `The last ${answers.length} answers, the longest ${milliseconds(longest)}`,
      }, bars);
    },
  };
}

// The result of an answer as a sentence, without times, so that it changes only with the result.
export function sentence(name, answer, plan) {
  const service = (call) => plan?.calls[call.name]?.service;
  if (answer.status === 0) return `${name}: no answer; is the demo still running?`;
  if (isSignedOut(answer)) return `${name}, 401 Unauthorized: not signed in, and no service was called.`;
  if (isProblem(answer)) {
    const call = answer.calls.find((each) => each.name === answer.value?.call);
    const why = call ? `${call.name} is required and failed: ${because(call, service(call))}` : answer.value?.detail ?? "";
    return `${name}, ${answer.status} ${NAMES[answer.status] ?? ""}: ${why}.`;
  }
  const bad = degraded(answer);
  if (!bad.length) return `${name}: complete.${answer.kept ? " It was cached: no service was called." : ""}`;
  const each = bad.map((call) =>
    `${call.name} ${call.outcome === "fallback" ? "is on its fallback" : "failed and is left out"}, because ${because(call, service(call))}`);
  return `${name}, partial: ${each.join("; ")}.`;
}
