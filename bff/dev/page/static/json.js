// JSON as a collapsible tree.

import { el, fold } from "./dom.js";

const OPEN_TO = 2; // levels that are open at first

export function tree(value, key) {
  return el("div", { class: "json" }, member(value, null, key, 0, true));
}

function member(value, name, key, depth, last) {
  const label = name === null ? [] : [el("span", { class: "j-key" }, JSON.stringify(name)), ": "];
  const comma = last ? "" : ",";
  if (value === null || typeof value !== "object") {
    return el("div", {}, label, scalar(value), comma);
  }
  const list = Array.isArray(value);
  const entries = Object.entries(value);
  const [open, close] = list ? "[]" : "{}";
  if (!entries.length) return el("div", {}, label, el("span", { class: "j-empty" }, open + close), comma);
  const few = depth < OPEN_TO && !(depth === 1 && list && entries.length > 5);
  return fold(
    `${key}/${name ?? ""}`,
    few || (depth < OPEN_TO && list),
    [label, open, el("span", { class: "j-more" }, " ", preview(value, list), ` ${close}${comma}`)],
    () => [
      el("div", { class: "j-in" }, entries.map(([each, inner], index) =>
        member(inner, list ? null : each, `${key}/${name ?? ""}/${each}`, depth + 1, index === entries.length - 1))),
      el("div", {}, close + comma),
    ],
  );
}

function preview(value, list) {
  if (list) return value.length === 1 ? "1 item" : `${value.length} items`;
  const [first] = Object.entries(value).filter(([, inner]) => inner === null || typeof inner !== "object");
  const others = Object.keys(value).length - (first ? 1 : 0);
  return [first ? `${first[0]}: ${short(first[1])}` : "", others ? (first ? `, ${others} more` : `${others} members`) : ""].join("");
}

const short = (value) => {
  const text = JSON.stringify(value);
  return text.length > 24 ? `${text.slice(0, 23)}…` : text;
};

function scalar(value) {
  const kind = value === null ? "null" : typeof value;
  return el("span", { class: `j-${kind}` }, JSON.stringify(value));
}
