// The session: the user, its remaining time, sign-in and sign-out, and the user's devices.

import { el, fold, replace } from "./dom.js";
import { send } from "./send.js";

const LOGIN = "/auth/login?return_to=%2F";
const SECOND = 1000;

// The URL to sign in with a provider.
export const loginUrl = (provider, usual) =>
  provider === usual ? LOGIN : LOGIN.replace("/login", `/login/${encodeURIComponent(provider)}`);

export class Session {
  // `changed` is called when the session has ended, in this browser or elsewhere.
  constructor(root, told, changed) {
    this.bar = root.querySelector("#who");
    this.list = root.querySelector("#devices");
    this.error = root.querySelector("#session-error");
    this.told = told;
    this.changed = changed;
    this.state = null; // what /auth/session has said last
    this.devices = [];
    this.ends = 0; // on the clock of performance.now()
    setInterval(() => this.tick(), SECOND);
  }

  get signedIn() {
    return Boolean(this.state?.authenticated);
  }

  get name() {
    return String(this.state?.claims?.name ?? "");
  }

  // Requests the state of the session without extending it.
  async refresh() {
    const before = this.state;
    let state;
    try {
      state = await json(await send("/auth/session?slide=false"));
      if (state.authenticated) this.devices = (await json(await send("/auth/sessions"))).sessions;
    } catch (error) {
      this.fail(error.status === 503 ? "Sessions cannot be looked up just now." : error.status === 401 ? "" : "The app does not say who is signed in.");
      return;
    }
    this.fail("");
    this.state = state;
    this.ends = performance.now() + (state.expires_in ?? 0) * SECOND;
    this.ended = Boolean(before?.authenticated && !state.authenticated) || (Boolean(this.ended) && !state.authenticated);
    this.draw();
  }

  draw() {
    replace(this.bar, this.signedIn ? this.account() : this.anonymous());
    replace(this.list, this.signedIn ? this.deviceList() : []);
    this.tick();
  }

  anonymous() {
    const names = (access) => [...new Set(this.told.views.filter((view) => (view.access === "signed_in") === access).map((view) => view.name))];
    const [locked, open] = [names(true), names(false)];
    const [usual] = this.told.providers;
    return el("div", { class: "who who-nobody" },
      el("span", { class: "face", "aria-hidden": "true" }),
      el("div", { class: "who-name" },
        el("b", {}, this.ended ? "You have been signed out" : "Not signed in"),
        el("span", {}, locked.length ? [codes(locked), ` ${answers(locked)} 401, before any service is called. `] : "", open.length ? [codes(open), ` ${answers(open)} everyone.`] : "")),
      el("div", { class: "who-acts" }, this.told.providers.length
        ? this.told.providers.map((name) => el("a", { class: "primary", href: loginUrl(name, usual), "data-key": `sign-in-${name}` }, usual === name ? "Sign in" : `Sign in with ${name}`))
        : "No provider is declared."));
  }

  account() {
    const { sub, claims, provider } = this.state;
    const name = String(claims.name ?? sub);
    const shown = Object.entries(claims).filter(([key, value]) => key !== "name" && typeof value !== "object");
    return el("div", { class: "who" },
      el("span", { class: "face", "aria-hidden": "true" }, name.split(" ").map((word) => word[0]).join("").slice(0, 2)),
      el("div", { class: "who-name" }, el("b", {}, name), el("span", {}, el("code", {}, sub), ` by ${provider}`)),
      el("dl", { class: "who-claims", "aria-label": "Claims" }, shown.map(([key, value]) => el("div", {}, el("dt", {}, key), el("dd", {}, String(value))))),
      el("div", { class: "who-time" },
        el("span", {}, "ends after ", el("b", { role: "timer" }), " of inactivity"),
        el("span", { class: "left", "aria-hidden": "true" }, el("i"))),
      el("div", { class: "who-acts" },
        el("a", { href: `${LOGIN}&prompt=select_account`, "data-key": "switch" }, "Switch account"),
        el("button", { type: "button", class: "quiet", "data-key": "sign-out", onclick: () => this.signOut() }, "Sign out")));
  }

  deviceList() {
    const others = this.devices.filter((each) => !each.current);
    const count = this.devices.length;
    return fold("devices", others.length > 0, [el("b", {}, "My devices"), count === 1 ? " only this one" : ` ${count}`], () => [
      el("ul", {}, this.devices.map((each) => el("li", { class: each.current ? "is-current" : "" },
        el("span", { class: "device" }, el("b", { title: each.agent }, device(each.agent)), each.current && el("span", { class: "chip" }, "this one")),
        el("span", { class: "device-times" }, `signed in ${time(each.created)}, last seen ${time(each.seen)}`),
        !each.current && el("button", { type: "button", class: "quiet", "data-key": `end-${each.id}`, onclick: () => this.end(`/${encodeURIComponent(each.id)}`) },
          "Sign out", el("span", { class: "unseen" }, ` ${device(each.agent)}, signed in ${time(each.created)}`))))),
      others.length > 1 && el("button", { type: "button", class: "quiet", "data-key": "end-others", onclick: () => this.end("?keep=current") }, "Sign out everywhere else"),
      !others.length && el("p", { class: "hint" }, "Sign in with another browser, or a private window, and it is listed here."),
    ], { class: "devices" });
  }

  // Shows the remaining time once a second; requests the state when it is over.
  tick() {
    if (!this.signedIn) return;
    const left = Math.max(0, Math.round((this.ends - performance.now()) / SECOND));
    const timer = this.bar.querySelector("[role=timer]");
    timer.textContent = `${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")}`;
    this.bar.querySelector(".left i").style.width = `${Math.min(100, (left / this.told.idle_seconds) * 100)}%`;
    if (left === 0) this.refresh().then(() => this.signedIn || this.changed());
  }

  async signOut() {
    try {
      const { logout_url: url } = await json(await send("/auth/logout", { method: "POST" }));
      if (url) return location.assign(url); // leads to the provider's own sign-out
    } catch {
      return this.fail("Signing out did not work; you may still be signed in.");
    }
    await this.refresh();
    this.changed();
  }

  async end(which) {
    try {
      const response = await send(`/auth/sessions${which}`, { method: "DELETE" });
      if (!response.ok && response.status !== 404) throw new Error(response.status); // 404: it has ended by itself
    } catch {
      this.fail("That device could not be signed out.");
      return;
    }
    await this.refresh();
  }

  fail(text) {
    if (this.error.textContent !== text) this.error.textContent = text;
  }
}

async function json(response) {
  if (!response.ok) throw Object.assign(new Error(response.status), { status: response.status });
  return response.json();
}

const answers = (names) => (names.length === 1 ? "answers" : "answer");
const codes = (names) => names.flatMap((name, index) => [index ? ", " : "", el("code", {}, name)]);

const time = (seconds) => new Date(seconds * SECOND).toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" });

const BROWSERS = [[/Edg\/(\d+)/, "Edge"], [/OPR\/(\d+)/, "Opera"], [/Firefox\/(\d+)/, "Firefox"], [/Chrome\/(\d+)/, "Chrome"], [/Version\/(\d+).*Safari/, "Safari"]];
const SYSTEMS = [[/Android/, "Android"], [/iPhone|iPad/, "iOS"], [/Windows/, "Windows"], [/Mac OS X/, "macOS"], [/CrOS/, "ChromeOS"], [/Linux/, "Linux"]];

// A short name of a User-Agent.
export function device(agent) {
  const [browser, version] = BROWSERS.flatMap(([pattern, name]) => pattern.test(agent) ? [[name, pattern.exec(agent)[1]]] : [])[0] ?? [];
  const system = SYSTEMS.find(([pattern]) => pattern.test(agent))?.[1];
  if (!browser) return agent.split(/[\s/]/)[0] || "Unknown device";
  return system ? `${browser} ${version} on ${system}` : `${browser} ${version}`;
}
