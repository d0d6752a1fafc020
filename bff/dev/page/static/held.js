// The number of items in the cart, in each place that shows it as a link to the cart.

import { el } from "./dom.js";

let held = 0;

export const cartLink = (frontend) =>
  el("a", { class: "inbox cart-link", href: "#cart", "data-key": `${frontend}-cart` }, "Cart", badge());

export function hold(count) {
  held = count;
  for (const link of document.querySelectorAll(".cart-link")) {
    link.querySelector(".badge").replaceWith(badge());
  }
}

const badge = () => el("span", { class: "badge", hidden: held === 0 }, held, el("span", { class: "unseen" }, " in it"));
