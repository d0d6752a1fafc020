// The shop's two frontends: the answer of `home` rendered as pages, with missing parts marked by
// the call that failed.

import { because, isProblem, isSignedOut, outcomeWords } from "./answer.js";
import { el } from "./dom.js";
import { cartLink } from "./held.js";
import { picture, stars } from "./pictures.js";
import { loginUrl } from "./session.js";

export const euros = (cents) => (cents / 100).toLocaleString("en-IE", { style: "currency", currency: "EUR" });
const day = (text) => new Date(text).toLocaleDateString("en-GB", { day: "numeric", month: "short", timeZone: "UTC" });

// The calls that provide a part of the page, in order.
export function blamed(answer, names) {
  return names.map((name) => answer.calls.find((call) => call.name === name))
    .find((call) => call && call.outcome !== "ok" && call.outcome !== "stale");
}

export function note(call, plan, effect) {
  return el("p", { class: `note is-${call.outcome}` },
    el("span", { class: "note-head" }, el("b", {}, call.name), " ", outcomeWords(call)),
    el("span", {}, `${effect}: ${because(call, plan?.calls[call.name]?.service)}.`));
}

const part = (call, name, attributes = {}) => ({
  ...attributes, class: `part ${attributes.class ?? ""}${call ? ` is-hurt is-${call.outcome}` : ""}`, "data-calls": name,
});

const link = (frontend, path, key, ...content) =>
  el("a", { href: `/${frontend}${path}`, "data-view": `/${frontend}${path}`, "data-key": `${frontend}${key}` }, content);

const state = (status) => el("span", { class: `state state-${status}` }, status);

// -- web -----------------------------------------------------------------------------------------

export function web(answer, plan) {
  const page = isSignedOut(answer) ? welcome() : isProblem(answer) ? problem(answer, plan) : webHome(answer, plan);
  return el("div", { class: "browser" },
    el("div", { class: "bar", "aria-hidden": "true" },
      el("span", { class: "lights" }, el("i"), el("i"), el("i")), el("span", { class: "address" }, "shop.example")),
    el("div", { class: "screen shop", tabindex: "0", role: "region", "aria-label": "The web home", "data-scroll": "web", "data-key": "web-screen" }, page));
}

function webHome(answer, plan) {
  const { user, unread, orders = [], more = [] } = answer.value;
  return [
    el("div", part(null, "user unread", { class: "masthead" }),
      el("span", { class: "brand" }, "The Shop"),
      el("span", { class: "shop-nav", "aria-hidden": "true" }, "Kitchen", el("i"), "Outdoor", el("i"), "Lighting", el("i"), "Audio"),
      inbox(answer, unread), cartLink("web"), el("span", { class: "avatar", "aria-hidden": "true" }, initials(user?.name))),
    el("p", { class: "greeting" }, `Good to see you, ${first(user?.name)}.`),
    inboxNote(answer, plan),
    el("div", { class: "halves" }, webOrders(answer, plan, orders), webMore(answer, plan, more)),
  ];
}

function webOrders(answer, plan, orders) {
  const call = blamed(answer, ["orders"]);
  const lines = !call && blamed(answer, ["product"]);
  return el("div", part(call || lines, "orders product"),
    el("h4", {}, "Your orders"),
    call && note(call, plan, "The list is empty"),
    lines && note(lines, plan, "Titles and pictures are missing"),
    call && el("p", { class: "sorry" }, "Your orders will be back in a moment."),
    el("ul", { class: "orders" }, orders.map((order) => el("li", {}, link("web", `/orders/${order.id}`, order.id,
      el("span", { class: "thumbs" }, order.lines.slice(0, 2).map((line) => picture(line.id, line.title))),
      el("span", { class: "order-what" },
        el("b", {}, order.lines[0]?.title ?? `Order ${order.id}`),
        el("span", {}, others(order.lines), day(order.placed)), state(order.status)),
      el("span", { class: "price" }, euros(order.total)))))));
}

const others = (lines) => lines.length > 1 ? `and ${lines.length - 1} more, ` : "";

function webMore(answer, plan, more) {
  const call = blamed(answer, ["recommended"]);
  const rated = !call && blamed(answer, ["reviews"]);
  return el("div", part(call || rated, "recommended reviews"),
    el("h4", {}, "Picked for you"),
    call && note(call, plan, "Nothing can be recommended"),
    rated && note(rated, plan, "There are no stars"),
    call && el("div", { class: "grid ghosts", "aria-hidden": "true" }, [1, 2, 3, 4, 5, 6].map(() => el("i"))),
    el("ul", { class: "grid" }, more.map((product) => el("li", {}, link("web", `/products/${product.id}`, product.id,
      picture(product.id, product.title),
      el("span", { class: "product-title" }, product.title),
      el("span", { class: "product-line" }, el("span", { class: "price" }, euros(product.price)), stars(product.stars)),
      product.why && el("span", { class: "why" }, product.why)), addButton(product.id, product.title, "home")))));
}

// A button that adds a product to the cart; cart.js handles its clicks.
export const addButton = (id, title, where) =>
  el("button", { type: "button", class: "add", "data-add": id, "data-key": `add-${where}-${id}` }, "Add to cart", el("span", { class: "unseen" }, `: ${title ?? id}`));

// -- mobile --------------------------------------------------------------------------------------

export function mobile(answer, plan) {
  return el("div", { class: "phone" },
    el("div", { class: "speaker", "aria-hidden": "true" }),
    el("div", { class: "screen shop", tabindex: "0", role: "region", "aria-label": "The mobile home", "data-scroll": "mobile", "data-key": "mobile-screen" },
      isSignedOut(answer) ? welcome() : isProblem(answer) ? problem(answer, plan) : mobileHome(answer, plan)),
    el("div", { class: "tabs", "aria-hidden": "true" }, el("b", {}, "Home"), el("span", {}, "Search"), el("span", {}, "Orders"), el("span", {}, "You")));
}

function mobileHome(answer, plan) {
  const { name, unread, orders = [] } = answer.value;
  const call = blamed(answer, ["orders"]);
  return [
    el("div", part(null, "user unread", { class: "masthead" }), el("span", { class: "brand" }, "The Shop"), inbox(answer, unread), cartLink("mobile")),
    el("p", { class: "greeting" }, `Good to see you, ${first(name)}.`),
    inboxNote(answer, plan),
    el("div", part(call, "orders"),
      el("h4", {}, "Latest orders"),
      call && note(call, plan, "The list is empty"),
      call && el("p", { class: "sorry" }, "Your orders will be back in a moment."),
      el("ul", { class: "cards" }, orders.map((order) => el("li", {}, link("mobile", `/orders/${order.id}`, order.id,
        el("span", {}, el("b", {}, order.id), state(order.status)),
        el("span", {}, order.items === 1 ? "1 item" : `${order.items} items`, el("span", { class: "price" }, euros(order.total)))))))),
  ];
}

// -- both ----------------------------------------------------------------------------------------

const first = (name) => name?.split(" ")[0] ?? "there";
const initials = (name) => (name ?? "").split(" ").map((word) => word[0]).join("");

function inbox(answer, unread) {
  const call = blamed(answer, ["unread"]);
  return el("span", { class: `inbox${call ? ` is-hurt is-${call.outcome}` : ""}` }, "Inbox",
    unread ? el("span", { class: "badge" }, unread, el("span", { class: "unseen" }, " unread")) : null);
}

function inboxNote(answer, plan) {
  const call = blamed(answer, ["unread"]);
  return call && note(call, plan, "The inbox shows no count");
}

const WINDOW = ["Kettle", "Desk lamp", "Turntable", "Notebook", "Tent", "Mug"];

// Not signed in: the shop as an anonymous visitor sees it.
function welcome() {
  return [
    el("div", { class: "masthead" }, el("span", { class: "brand" }, "The Shop")),
    el("div", { class: "visit" },
      el("div", { class: "welcome" },
        el("p", { class: "greeting" }, "Good things for kitchen, desk and garden."),
        el("p", {}, "Sign in to see your orders, and what we have picked for you."),
        el("a", { class: "shop-button", href: loginUrl() }, "Sign in")),
      el("div", { class: "window", "aria-hidden": "true" }, WINDOW.map((title, at) => picture(`window-${at}`, title)))),
  ];
}

function problem(answer, plan) {
  const told = answer.value && typeof answer.value === "object" ? answer.value : {};
  const call = answer.calls.find((each) => each.name === told.call);
  return [el("div", { class: "masthead" }, el("span", { class: "brand" }, "The Shop")), el("div", { class: "part oops", "data-calls": told.call ?? "" },
    el("h4", {}, "We will be right back"),
    el("p", {}, "Your page cannot be shown just now. Nothing is lost; please try again in a moment."),
    call && note(call, plan, "It is required, so there is no page"),
    answer.type && el("div", { class: "told" }, el("p", {}, answer.type), problemFacts(told)))];
}

// problem+json (RFC 9457), member by member.
export function problemFacts(told) {
  const members = Object.entries(told).filter(([, value]) => value !== null && typeof value !== "object");
  const errors = Array.isArray(told.errors) ? told.errors : [];
  return el("dl", { class: "facts problem" },
    members.map(([name, value]) => [el("dt", {}, name), el("dd", {}, String(value))]),
    errors.map((each) => [el("dt", {}, `${each.in ?? "body"}: ${each.parameter ?? each.pointer ?? ""}`), el("dd", {}, each.detail ?? "")]));
}
