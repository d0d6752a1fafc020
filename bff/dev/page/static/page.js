// The page: requests `home` for both frontends, and again when a service changes.

import { ask, isSignedOut } from "./answer.js";
import { Cart } from "./cart.js";
import { declaration } from "./declared.js";
import { bytes, el, fold, replace } from "./dom.js";
import { Explorer } from "./explorer.js";
import { tree } from "./json.js";
import { send } from "./send.js";
import { Services } from "./services.js";
import { Session } from "./session.js";
import { mobile, web } from "./shop.js";
import { past, sentence, statusLine } from "./status.js";
import { axis, waterfall } from "./waterfall.js";

const PERIOD = 1000;
const FRONTENDS = [
  { name: "web", title: "Web", draw: web },
  { name: "mobile", title: "Mobile", draw: mobile },
];
const $ = (id) => document.getElementById(id);

class Home {
  constructor(told) {
    this.told = told;
    this.asked = null;
    this.sides = (told.shop ? FRONTENDS : []).flatMap((frontend) => {
      const plan = told.views.find((view) => view.name === "home" && view.frontend === frontend.name);
      return plan ? [{ ...frontend, plan, past: past(), article: this.article(frontend, plan) }] : [];
    });
    $("answers").append(...this.sides.map((side) => side.article));
    const declared = declaration(told.declared.home, "home");
    if (declared && told.shop) $("home-declared").append(declared);
    $("home").hidden = !this.sides.length;
  }

  article({ name, title }, plan) {
    return el("article", { class: `side side-${name}`, "aria-labelledby": `title-${name}`, "aria-busy": "true" },
      el("div", { class: "side-head" },
        el("h3", { id: `title-${name}` }, title, " ", el("a", { href: plan.route }, `GET ${plan.route}`)),
        el("div", { class: "side-past" })),
      ...["frame", "line", "calls", "body"].map((part) => el("div", { class: `side-${part}` })));
  }

  // Requests both at once; each is shown when it arrives. Resolves with the answers.
  async ask() {
    this.asked?.abort();
    const asked = this.asked = new AbortController();
    const answers = await Promise.all(this.sides.map(async (side) => {
      side.article.setAttribute("aria-busy", "true");
      const answer = await ask(side.plan.route, asked.signal);
      side.answer = answer;
      side.past.add(answer);
      this.show(side);
      side.article.removeAttribute("aria-busy");
      return answer;
    }));
    this.announce();
    return answers;
  }

  show(side) {
    const { name, answer, plan, article } = side;
    const key = `${name}-home`;
    replace(article.querySelector(".side-frame"), side.draw(answer, plan));
    replace(article.querySelector(".side-line"), statusLine(answer));
    replace(article.querySelector(".side-past"), side.past.draw());
    this.showCalls();
    replace(article.querySelector(".side-body"), fold(`${key}-json`, true,
      [el("b", {}, answer.type || "no body"), ` ${bytes(answer.size)}`],
      () => el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": `The ${name} answer as JSON`, "data-scroll": `${key}-json`, "data-key": `${key}-json-scroll` },
        tree(answer.value, key)), { class: "block" }));
  }

  // Both waterfalls share one time axis, so that they can be compared.
  showCalls() {
    const scale = axis(Math.max(...this.sides.map((side) => side.answer?.total ?? 0)));
    for (const { name, answer, plan, article } of this.sides) {
      if (!answer) continue;
      if (isSignedOut(answer)) {
        replace(article.querySelector(".side-calls"), el("p", { class: "none-asked" }, "No call was made: authentication comes first."));
        continue;
      }
      replace(article.querySelector(".side-calls"),
        waterfall(answer, plan, scale, `${name}-home-calls`, (call) => this.point(article, call)));
    }
  }

  // Highlights the parts of the rendered page that use the data of a call.
  point(article, call) {
    for (const part of article.querySelectorAll("[data-calls]")) {
      part.classList.toggle("is-pointed", call !== null && part.dataset.calls.split(" ").includes(call));
    }
  }

  announce() {
    const out = this.sides.every((side) => isSignedOut(side.answer));
    const news = out && this.sides.length
      ? ["You are not signed in: both answer 401, and no service was called."]
      : this.sides.map((side) => sentence(side.title, side.answer, side.plan));
    if ($("news").textContent !== news.join("")) replace($("news"), news.map((each) => el("span", {}, each)));
  }
}

function links(explorer, web) {
  const order = web?.orders?.[0]?.id;
  const product = web?.more?.[0]?.id ?? web?.orders?.[0]?.lines?.[0]?.id;
  if (order) explorer.examples.order ??= order;
  if (product) explorer.examples.product ??= product;
  const wanted = ["/web/orders", order && `/web/orders/${order}`, product && `/web/products/${product}`, "/web/search?q=lamp", order && `/mobile/orders/${order}`];
  const known = wanted.filter((each) => each && explorer.views.some((view) => each.split("?")[0].startsWith(view.route.split("/{")[0])));
  replace($("links"), known.map((each) => el("a", { href: each, "data-view": each }, each)));
}

// Links to views open in the panel, unless the user opens them in a new tab.
function openInPanel(explorer) {
  document.addEventListener("click", (event) => {
    const link = event.target.closest?.("a[data-view]");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
    if (explorer.open(link.dataset.view)) event.preventDefault();
  });
}

// A view that the user can request without parameters; any view if there is none.
function example({ views, shop }, signedIn = false) {
  const open = views.filter((view) => (signedIn || view.access !== "signed_in") && !view.params.some((param) => param.required));
  const search = shop && open.find((view) => view.route === "/web/search");
  return search ? `${search.route}?q=lamp` : (open[0] ?? views[0])?.route;
}

async function begin() {
  const told = await (await send("/demo/views")).json();
  const home = new Home(told);
  const explorer = new Explorer($("explorer"), told);
  const askAll = () => Promise.all([home.ask(), explorer.again(), cart.refresh()]).then(() => session.refresh()).catch((error) => {
    if (error.name !== "AbortError") throw error; // a newer question has taken its place
  });
  const cart = new Cart($("cart"), told, askAll);
  const session = new Session($("session"), told, askAll);
  const services = new Services($("services"), told.services, askAll);
  const refreshServices = () => told.stubs && services.refresh();
  if (!told.shop) plain(told);

  $("curl").textContent = `curl -i ${location.origin}${example(told) ?? "/"}`;
  $("again").addEventListener("click", () => { refreshServices(); askAll(); });
  keepAsking(() => Promise.all([refreshServices(), askAll()]));
  openInPanel(explorer);

  refreshServices();
  const [answers] = await Promise.all([home.ask().catch(() => []), session.refresh(), cart.refresh()]);
  cart.address(session.name);
  links(explorer, answers[0]?.value);
  const first = explorer.examples.order ? `/web/orders/${explorer.examples.order}` : example(told, session.signedIn);
  if (first && !explorer.url) explorer.open(first, { focus: false });
}

// The page of a configuration other than the demo shop, without a rendered shop.
function plain(told) {
  document.title = "bff dev";
  $("title").textContent = "Your views, and the calls behind them";
  $("what").textContent = "Choose a view, and see its answer and what each of its calls came to.";
  $("explorer-title").textContent = "A view";
  $("explorer-hint").hidden = true;
  $("services").hidden = !told.stubs;
  document.querySelector("main").classList.add("plain");
  document.querySelector("main").classList.toggle("no-stubs", !told.stubs);
}

// Requests once a second while the box is ticked and the page is visible; one at a time.
function keepAsking(askOnce) {
  let timer = null;
  const turn = async () => {
    const begun = performance.now();
    if (!document.hidden) await askOnce();
    if ($("keep").checked) timer = setTimeout(turn, Math.max(0, PERIOD - (performance.now() - begun)));
  };
  $("keep").addEventListener("change", () => {
    clearTimeout(timer);
    if ($("keep").checked) turn();
  });
}

begin();
