// The list of writes: each with its result, and the changes of the cart in its answer.

import { isProblem, verdict } from "./answer.js";
import { bytes, el, fold, milliseconds } from "./dom.js";
import { tree } from "./json.js";
import { problemFacts } from "./shop.js";
import { NAMES } from "./status.js";
import { axis, waterfall } from "./waterfall.js";

const MOST = 8;

export class Writes {
  constructor(root) {
    this.list = root.querySelector("#writes");
    this.none = root.querySelector("#writes-none");
    this.count = 0;
  }

  // Adds a write at the top of the list, expanded; the previous one is collapsed.
  add({ plan, url, sent, answer, changed }) {
    this.count += 1;
    this.none.hidden = true;
    for (const each of this.list.querySelectorAll(":scope > li > details[open]")) each.open = false;
    const key = `write-${this.count}`;
    this.list.prepend(el("li", { class: `write is-${verdict(answer)}` }, el("details", { open: true },
      el("summary", { "data-key": key },
        el("span", { class: "dot", "aria-hidden": "true" }),
        el("b", {}, `${sent.method} ${url}`),
        el("span", { class: "code" }, `${answer.status || ""} ${NAMES[answer.status] ?? ""}`),
        el("span", { class: "became" }, became(answer))),
      this.inside(key, plan, sent, answer, changed))));
    while (this.list.children.length > MOST) this.list.lastChild.remove();
  }

  inside(key, plan, sent, answer, changed) {
    return [
      el("dl", { class: "facts" },
        sent.key && [el("dt", {}, "Idempotency-Key"), el("dd", {}, el("code", {}, sent.key))],
        sent.body && [el("dt", {}, "body"), el("dd", {}, el("code", {}, JSON.stringify(sent.body)))],
        changed.length > 0 && [el("dt", {}, "refreshed"), el("dd", { class: "refreshed" }, changed.map(change))],
        [el("dt", {}, "took"), el("dd", {}, milliseconds(answer.total))]),
      isProblem(answer) && answer.value && problemFacts(answer.value),
      answer.replayed
        ? el("p", { class: "none-asked" }, "No call was made: this is the stored answer to the first request.")
        : answer.calls.length > 0
          ? waterfall(answer, plan, axis(answer.total), key)
          : el("p", { class: "none-asked" }, "No call was made."),
      fold(`${key}-json`, false, [el("b", {}, answer.type || "no body"), ` ${bytes(answer.size)}`],
        () => el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "The answer as JSON" }, tree(answer.value, key)), { class: "block" }),
    ];
  }
}

// The result of a write, as a short text.
export function became(answer) {
  if (answer.status === 0) return "no answer";
  if (answer.replayed) return "answered as before, nothing was done";
  if (answer.status === 409) return "the first one is under way";
  if (answer.status >= 500) return "failed, and may have been done";
  if (isProblem(answer)) return answer.value?.detail ?? answer.value?.title ?? "refused";
  return "done";
}

function change({ title, from, to }) {
  return el("span", {}, el("b", {}, title), from === 0 ? ` new, ${to}` : to === 0 ? " gone" : ` ${from} \u2192 ${to}`);
}
