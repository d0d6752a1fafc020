// The cart and the order form: writes that return the cart, idempotent by their key.

import { ask, isProblem, isSignedOut } from "./answer.js";
import { basket, changes } from "./basket.js";
import { declaration } from "./declared.js";
import { el, replace } from "./dom.js";
import { hold } from "./held.js";
import { euros } from "./shop.js";
import { became, Writes } from "./writes.js";

const TRIES = 4;
const SECOND = 1000;
const PART = "refresh.cart.";

export class Cart {
  // `placed` is called after a new order.
  constructor(root, told, placed) {
    this.root = root;
    this.plans = new Map(told.writes.filter((each) => each.frontend === "web").map((each) => [each.name, each]));
    this.plan = told.views.find((each) => each.name === "cart" && each.frontend === "web");
    this.placed = placed;
    this.writes = new Writes(root);
    this.cart = null; // what was heard of it last
    this.calls = [];
    this.turn = Promise.resolve(); // of changes: each begins when the one before it has ended
    this.last = null; // the last order: its key and its body
    root.hidden = !(told.shop && this.plan && this.plans.has("place_order"));
    if (root.hidden) return;
    this.renew();
    this.listen();
    root.querySelector("#cart-declared").append(declaration(told.declared.place_order, "cart") ?? "");
  }

  listen() {
    const form = this.form = this.root.querySelector("#order");
    const on = (id, act) => this.root.querySelector(id).addEventListener("click", act);
    form.addEventListener("submit", (event) => { event.preventDefault(); this.order(1); });
    on("#order-twice", () => form.reportValidity() && this.order(2));
    on("#order-again", () => this.place(this.last.body, this.last.key));
    on("#order-other", () => this.place(another(this.last.body), this.last.key));
    document.addEventListener("click", (event) => {
      const button = event.target.closest?.("[data-add]");
      if (button) this.add(button.dataset.add);
    });
  }

  // The key is generated for an order, not for each click that sends it.
  renew() {
    this.key = crypto.randomUUID();
    this.root.querySelector("#order-key").textContent = this.key;
  }

  async refresh() {
    if (!this.root.hidden) this.show(await ask(this.plan.route));
  }

  // Fills in the recipient, unless the field has a value.
  address(name) {
    if (!this.root.hidden) this.form.elements.name.value ||= name;
  }

  show(answer, marks = new Set()) {
    const out = isSignedOut(answer);
    this.form.hidden = out;
    this.calls = answer.calls;
    const drawn = JSON.stringify([answer.status, answer.value, answer.calls.map((call) => call.outcome), [...marks]]);
    if (drawn === this.drawn) return; // whoever is looking, or typing, is not disturbed
    this.drawn = drawn;
    this.cart = isProblem(answer) ? null : answer.value;
    hold((this.cart?.lines ?? []).reduce((sum, line) => sum + line.quantity, 0));
    replace(this.root.querySelector("#basket"), out
      ? el("p", { class: "sorry" }, "Sign in, and there is a cart of your own.")
      : basket(answer, this.cart, this.plan, marks, {
        change: (id, by) => this.inTurn(() => this.change(id, by)),
        remove: (id) => this.inTurn(() => this.remove(id)),
      }));
  }

  inTurn(act) {
    this.turn = this.turn.then(act, act);
    return this.turn;
  }

  add(id) {
    return this.inTurn(() => this.write("add_to_cart", "/web/cart/items", { product: id }, crypto.randomUUID()));
  }

  change(id, by) {
    const line = this.cart?.lines.find((each) => each.id === id);
    return line && this.write("change_in_cart", `/web/cart/items/${encodeURIComponent(id)}`, { quantity: line.quantity + by });
  }

  async remove(id) {
    await this.write("remove_from_cart", `/web/cart/items/${encodeURIComponent(id)}`);
    if (!this.root.contains(document.activeElement)) this.root.focus({ preventScroll: true }); // its button is gone
  }

  order(times) {
    const { name, street, city, payment } = this.form.elements;
    const body = { address: { name: name.value, street: street.value, city: city.value }, payment: payment.value };
    const { key } = this;
    for (let time = 0; time < times; time += 1) this.place(body, key);
  }

  // Sends an order; while an earlier request with its key is in progress, retries a little later.
  async place(body, key, tries = TRIES) {
    const answer = await this.write("place_order", "/web/orders", body, key);
    if (answer.status === 409 && tries > 1) {
      await new Promise((done) => setTimeout(done, answer.retryAfter * SECOND));
      return this.place(body, key, tries - 1);
    }
    if (undecided(answer)) return answer; // the next try is one of this order
    if (key === this.key) {
      this.last = { key, body };
      this.renew();
      for (const id of ["#order-again", "#order-other"]) this.root.querySelector(id).disabled = false;
    }
    if (!isProblem(answer) && !answer.replayed) this.placed();
    return answer;
  }

  async write(name, url, body, key) {
    const plan = this.plans.get(name);
    const sent = { method: plan.method, body, key };
    const answer = await ask(url, undefined, sent);
    // a replayed answer contains the cart of its time
    const cart = answer.replayed ? null : answer.value?.cart;
    const changed = cart ? changes(this.cart, cart) : [];
    this.writes.add({ plan, url, sent, answer, changed });
    if (cart) {
      const calls = answer.calls.filter((call) => call.name.startsWith(PART)).map((call) => ({ ...call, name: call.name.slice(PART.length) }));
      this.show({ ...answer, value: cart, calls }, new Set(changed.map((each) => each.id)));
    } else {
      await this.refresh();
    }
    this.tell(answer, changed, key);
    return answer;
  }

  tell(answer, changed, key) {
    const order = isProblem(answer) ? null : answer.value.order;
    const words = order && !answer.replayed
      ? `Order ${order.id} is placed: ${euros(order.total)}. The answer has brought the empty cart along.`
      : changed.length > 0
        ? changed.map(({ title, from, to }) => `${title}: ${to === 0 ? "gone" : from === 0 ? `new in the cart, ${to}` : `${from}, now ${to}`}.`).join(" ")
        : `${answer.status || "No answer"}: ${became(answer)}.${key === this.key && undecided(answer) ? " The next try has the same key." : ""}`;
    this.root.querySelector("#cart-news").textContent = words;
  }
}

// True if the result of a write is unknown.
const undecided = ({ status }) => status === 0 || status === 409 || status >= 500;

const another = (body) => ({ ...body, payment: body.payment === "card" ? "invoice" : "card" });
