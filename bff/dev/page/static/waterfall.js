// The calls of one answer as a waterfall: when each started, how long it took, how it ended.

import { because, outcomeWords } from "./answer.js";
import { el, fold, milliseconds } from "./dom.js";

const STEPS = [5, 10, 20, 25, 50, 100, 200, 250, 500, 1000, 2000, 5000, 10000];

// A rounded length of the time axis, and its ticks, in milliseconds.
export function axis(longest) {
  const step = STEPS.find((each) => longest / each <= 5) ?? STEPS.at(-1);
  const end = Math.max(step, Math.ceil(longest / step) * step);
  return { end, ticks: Array.from({ length: Math.round(end / step) + 1 }, (_, index) => index * step) };
}

// `plan` is the declared view, if known; `point` is called with the call under the pointer, or null.
export function waterfall(answer, plan, { end, ticks }, key, point = () => {}) {
  const limited = answer.calls.some((call) => limit(call, plan?.calls[call.name]) <= end);
  const rows = answer.calls.map((call) => row(call, plan?.calls[call.name], end, `${key}/${call.name}`, point, answer.kept ? "cached" : "not made"));
  return el("div", { class: "waterfall" },
    el("div", { class: "w-axis" },
      plan && el("span", { class: "w-deadline" }, `deadline ${milliseconds(plan.timeout_ms)}`),
      el("div", { class: "w-track", "aria-hidden": "true" }, ticks.map((tick) => tickLabel(tick, end))),
      limited && el("span", { class: "w-legend" }, el("i"), "time-out")),
    el("ol", {}, rows),
    plan?.left_out.length > 0 && el("p", { class: "w-left-out" },
      "Not made, as nothing of them is in this shape: ", el("b", {}, plan.left_out.join(", "))));
}

function tickLabel(tick, end) {
  const label = el("span", {}, tick === end || tick >= 1000 ? milliseconds(tick) : String(tick));
  label.style.left = `${(tick / end) * 100}%`;
  return label;
}

function row(call, declared, end, key, point, none) {
  const track = el("span", { class: "w-track" });
  const made = call.start !== null && call.dur !== null;
  if (made) {
    const bar = el("span", { class: "w-bar" });
    bar.style.left = `${(call.start / end) * 100}%`;
    bar.style.width = `${(call.dur / end) * 100}%`;
    track.append(bar, timeLabel(call, end, declared));
    const at = limit(call, declared);
    if (at <= end) {
      const mark = el("span", { class: "w-limit" });
      mark.style.left = `${(at / end) * 100}%`;
      track.append(mark);
    }
  } else {
    track.append(el("span", { class: "w-none" }, none));
  }
  const item = el("li", {
    class: `w-row is-${call.reason === "cancelled" ? "skipped" : call.outcome}`,
    onpointerenter: () => point(call.name),
    onpointerleave: () => point(null),
    onfocusin: () => point(call.name),
    onfocusout: () => point(null),
  }, fold(key, false, [
    el("span", { class: "w-name" }, el("b", {}, call.name), " ", declared && el("span", {}, declared.service)),
    track,
    el("span", { class: "w-outcome" }, el("span", { class: "dot", "aria-hidden": "true" }), outcomeWords(call), several(call)),
  ], () => about(call, declared)));
  return item;
}

// The end of the call's timeout, in milliseconds after the view's start.
const limit = (call, declared) => declared && call.start !== null ? call.start + declared.timeout_ms : Infinity;

function timeLabel(call, end, declared) {
  const took = call.dur === 0 && declared?.many ? "no items" : milliseconds(call.dur);
  const label = el("span", { class: "w-time" }, el("span", { class: "unseen" }, "took "), took,
    el("span", { class: "unseen" }, `, started after ${milliseconds(call.start)}`));
  const ends = (call.start + call.dur) / end;
  const begins = call.start / end;
  if (ends <= 0.75) {
    label.style.left = `${ends * 100}%`;
  } else if (begins >= 0.25) {
    label.style.right = `${(1 - begins) * 100}%`;
  } else {
    label.classList.add("inside"); // a bar from one end to the other
    label.style.left = `${begins * 100}%`;
  }
  return label;
}

const several = (call) => call.of && Number(call.of) > 1 ? ` · ${call.failed} of ${call.of}` : "";

const MANY = { each: "one request for each item", batch: "items folded into few requests" };
const RUNGS = {
  required: "the view fails: it is required",
  optional: "its value is null",
};

function about(call, declared) {
  const facts = [];
  if (call.start !== null) facts.push(["ran", `from ${milliseconds(call.start)} for ${milliseconds(call.dur)}`]);
  if (call.reason) facts.push([call.outcome, because(call, declared?.service)]);
  if (declared) {
    facts.unshift(["request", el("code", {}, declared.request)]);
    if (declared.many) facts.push(["fan-out", MANY[declared.many]]);
    facts.push(["waits for", declared.waits_for.join(", ") || "nothing"]);
    facts.push(["time-out", milliseconds(declared.timeout_ms)]);
    facts.push(["on failure", RUNGS[declared.on_failure] ?? ["its fallback ", el("code", {}, JSON.stringify(declared.fallback))]]);
  }
  return el("dl", { class: "facts" }, facts.map(([term, value]) => [el("dt", {}, term), el("dd", {}, value)]));
}
