// The controls of the stub services: up, slow, failing or down.

import { el, milliseconds } from "./dom.js";
import { send } from "./send.js";

// The request to the control API for each choice.
const CHOICES = [
  ["up", "up", { state: "up", latency_ms: 0 }],
  ["slow", "400 ms", { state: "up", latency_ms: 400 }],
  ["slower", "2 s", { state: "up", latency_ms: 2000 }],
  ["failing", "failing", { state: "failing", latency_ms: 0 }],
  ["down", "down", { state: "down", latency_ms: 0 }],
];
const SPOKEN = { slow: "slow by 400 ms", slower: "slow by 2 s" };

export class Services {
  // `changed` is called after every change that a stub has accepted.
  constructor(root, declared, changed) {
    this.rows = root.querySelector("#controls");
    this.error = root.querySelector("#services-error");
    this.allUp = root.querySelector("#all-up");
    this.declared = declared;
    this.changed = changed;
    this.shown = new Map(); // by name: the fieldset
    this.pending = 0;
    this.allUp.addEventListener("click", () => this.everythingUp());
  }

  // Shows the current state of the stubs, which other clients can change too.
  async refresh() {
    if (this.pending) return;
    let states;
    try {
      const response = await send("/demo/services");
      if (!response.ok) throw new Error(response.status);
      states = await response.json();
    } catch {
      this.fail("The stubs do not say how they are.");
      return;
    }
    if (this.pending) return; // a change has overtaken this
    this.fail("");
    for (const [name, status] of Object.entries(states)) this.show(name, status);
    this.allUp.disabled = [...this.shown.values()].every((row) => row.dataset.choice === "up");
  }

  async set(name, change) {
    this.pending += 1;
    try {
      const response = await send(`/demo/services/${encodeURIComponent(name)}`, {
        method: "PUT", headers: { "Content-Type": "application/json" }, body: JSON.stringify(change),
      });
      if (!response.ok) throw new Error(response.status);
      this.show(name, await response.json());
      this.fail("");
    } catch {
      this.fail(`${name} could not be changed.`);
    } finally {
      this.pending -= 1;
    }
  }

  async choose(name, change) {
    await this.set(name, change);
    await this.refresh();
    this.changed();
  }

  async everythingUp() {
    const others = [...this.shown].filter(([, row]) => row.dataset.choice !== "up");
    const had = document.activeElement === this.allUp;
    await Promise.all(others.map(([name]) => this.set(name, CHOICES[0][2])));
    await this.refresh();
    if (had) this.rows.querySelector("input:checked")?.focus(); // the button is disabled now
    this.changed();
  }

  show(name, { state, latency_ms: latency }) {
    const choice = CHOICES.find(([, , it]) => it.state === state && (state !== "up" || it.latency_ms === latency));
    const row = this.shown.get(name) ?? this.add(name);
    row.dataset.choice = choice?.[0] ?? "other";
    for (const input of row.querySelectorAll("input")) input.checked = input.value === choice?.[0];
    row.querySelector(".other").textContent = choice ? "" : `slow by ${milliseconds(latency)}`;
  }

  add(name) {
    const timeout = this.declared[name]?.timeout_ms;
    const row = el("fieldset", { class: "service" },
      el("legend", {}, el("span", { class: "lamp", "aria-hidden": "true" }), name,
        timeout && el("span", { class: "timeout" }, el("span", { class: "unseen" }, ", "), `time-out ${milliseconds(timeout)}`),
        el("span", { class: "other" })),
      el("div", { class: "segments" }, CHOICES.map(([value, label, change]) => el("label", { class: `seg seg-${value}` },
        el("input", {
          type: "radio", name: `service-${name}`, value, "aria-label": SPOKEN[value] ?? value,
          onchange: () => this.choose(name, change),
        }),
        el("span", { "aria-hidden": "true" }, label)))));
    this.shown.set(name, row);
    this.rows.append(row);
    return row;
  }

  fail(text) {
    if (this.error.textContent !== text) this.error.textContent = text;
  }
}
