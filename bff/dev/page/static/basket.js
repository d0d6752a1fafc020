// The cart: its lines, quantities and total.

import { because, isProblem } from "./answer.js";
import { el } from "./dom.js";
import { picture } from "./pictures.js";
import { blamed, euros, note, problemFacts } from "./shop.js";

// The difference between two carts: the old and new quantity by product.
export function changes(before, after) {
  const [old, now] = [before, after].map((cart) => new Map((cart?.lines ?? []).map((line) => [line.id, line])));
  return [...new Set([...old.keys(), ...now.keys()])].flatMap((id) => {
    const [from, to] = [old.get(id)?.quantity ?? 0, now.get(id)?.quantity ?? 0];
    return from === to ? [] : [{ id, title: now.get(id)?.title ?? old.get(id)?.title ?? id, from, to }];
  });
}

// `acts` are the actions of the buttons: `change(id, by)` and `remove(id)`; `marks` are the products
// that the last write changed.
export function basket(answer, cart, plan, marks, acts) {
  if (isProblem(answer)) return trouble(answer, plan);
  const call = blamed(answer, ["product"]);
  return el("div", { class: `part${call ? ` is-hurt is-${call.outcome}` : ""}` },
    el("h3", {}, "Your cart"),
    call && note(call, plan, "Titles are missing"),
    cart.lines.length === 0 && el("p", { class: "sorry" }, "The cart is empty. Add something from the page above."),
    el("ul", { class: "lines" }, cart.lines.map((line) => row(line, marks.has(line.id), acts))),
    cart.lines.length > 0 && el("dl", { class: "sums" },
      el("dt", {}, "Shipping"), el("dd", {}, cart.shipping ? euros(cart.shipping) : "free"),
      el("dt", {}, "Total"), el("dd", { class: "price" }, euros(cart.total))));
}

function row(line, marked, acts) {
  const title = line.title ?? line.id;
  const button = (label, key, disabled, act, text) => el("button", {
    type: "button", "aria-label": `${label}: ${title}`, "data-key": `${key}-${line.id}`, "aria-disabled": disabled ? "true" : null,
    onclick: () => disabled || act(),
  }, text);
  return el("li", { class: marked ? "is-changed" : "", "data-line": line.id },
    picture(line.id, title),
    el("span", { class: "line-what" }, el("b", {}, title), el("span", {}, euros(line.price), " each")),
    el("span", { class: "stepper", role: "group", "aria-label": `How many: ${title}` },
      button("One less", "less", line.quantity <= 1, () => acts.change(line.id, -1), "\u2212"),
      el("span", { class: "many" }, line.quantity),
      button("One more", "more", line.quantity >= 99, () => acts.change(line.id, 1), "+")),
    el("span", { class: "price" }, euros(line.price * line.quantity)),
    button("Remove", "remove", false, () => acts.remove(line.id), "Remove"));
}

function trouble(answer, plan) {
  const told = answer.value && typeof answer.value === "object" ? answer.value : {};
  const call = answer.calls.find((each) => each.name === told.call);
  return el("div", { class: "part" },
    el("h3", {}, "Your cart"),
    el("p", { class: "sorry" }, "The cart cannot be shown just now; what is in it is not lost."),
    call && el("p", { class: `note is-${call.outcome}` }, `${call.name}: ${because(call, plan?.calls[call.name]?.service)}.`),
    answer.type && el("div", { class: "told" }, el("p", {}, answer.type), problemFacts(told)));
}
