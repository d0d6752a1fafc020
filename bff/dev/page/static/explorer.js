// Any view of any frontend: select it, fill in its parameters, see its answer and calls.

import { ask, isProblem } from "./answer.js";
import { bytes, el, fold, replace } from "./dom.js";
import { tree } from "./json.js";
import { addButton, problemFacts } from "./shop.js";
import { sentence, statusLine } from "./status.js";
import { axis, waterfall } from "./waterfall.js";
import { declaration } from "./declared.js";

export class Explorer {
  constructor(root, told) {
    this.root = root;
    this.views = told.views;
    this.declared = told.declared;
    this.sells = told.shop; // whether what a product view shows can be bought
    this.select = root.querySelector("#route");
    this.params = root.querySelector("#params");
    this.out = root.querySelector("#explored");
    this.examples = {}; // by the parameter's view: an id that exists
    this.url = null;
    this.asked = null;
    this.fillSelect();
    this.select.addEventListener("change", () => { this.fillParams(); this.submit(); });
    root.querySelector("#route-form").addEventListener("submit", (event) => { event.preventDefault(); this.submit(); });
  }

  fillSelect() {
    const frontends = [...new Set(this.views.map((view) => view.frontend))];
    this.select.append(...frontends.map((frontend) => el("optgroup", { label: frontend },
      this.views.map((view, index) => view.frontend === frontend && el("option", { value: index }, view.route)))));
  }

  get view() {
    return this.views[Number(this.select.value)];
  }

  // One field for each declared parameter, with its constraints.
  fillParams(values = {}) {
    this.params.replaceChildren(...this.view.params.map((param) => {
      const given = values[param.name] ?? (param.in === "path" ? this.examples[this.view.name] : null) ?? "";
      const about = { name: param.name, "data-in": param.in, "data-type": param.type, required: param.in === "path" };
      const preset = param.default === null || String(param.default) === "" ? "" : String(param.default);
      if (param.enum.length) {
        return el("label", {}, param.name, el("select", about, el("option", { value: "" }, preset || "any"),
          param.enum.filter((each) => String(each) !== preset).map((each) => el("option", { value: each, selected: String(each) === given }, String(each)))));
      }
      const kind = param.type === "array" ? "a, b" : preset || (param.required && param.in === "path" ? "" : param.type);
      return el("label", {}, param.name, el("input", {
        ...about, value: given, placeholder: kind, autocomplete: "off", spellcheck: "false", size: param.in === "path" ? 10 : 8,
        inputmode: param.type === "integer" ? "numeric" : null,
      }));
    }));
  }

  // The URL of the form.
  address() {
    let path = this.view.route;
    const query = new URLSearchParams();
    for (const field of this.params.querySelectorAll("input, select")) {
      const value = field.value.trim();
      if (field.dataset.in === "path") path = path.replace(`{${field.name}}`, encodeURIComponent(value));
      else if (value && field.dataset.type === "array") value.split(",").forEach((each) => query.append(field.name, each.trim()));
      else if (value) query.append(field.name, value);
    }
    return query.size ? `${path}?${query}` : path;
  }

  submit() {
    this.url = this.address();
    return this.again();
  }

  // Opens a URL in the panel; false where no view has it.
  open(address, { focus = true } = {}) {
    const url = new URL(address, location.href);
    for (const [index, view] of this.views.entries()) {
      const names = [];
      const pattern = view.route.replace(/[.*+?^$()|[\]\\]/g, "\\$&").replace(/\{(\w+)\}/g, (_, name) => { names.push(name); return "([^/]+)"; });
      const found = new RegExp(`^${pattern}$`).exec(url.pathname);
      if (!found) continue;
      const values = Object.fromEntries(names.map((name, at) => [name, decodeURIComponent(found[at + 1])]));
      for (const key of url.searchParams.keys()) values[key] = url.searchParams.getAll(key).join(", ");
      this.select.value = String(index);
      this.fillParams(values);
      this.submit();
      if (focus) {
        this.root.scrollIntoView({ block: "start" });
        this.root.focus({ preventScroll: true });
      }
      return true;
    }
    return false;
  }

  async again() {
    if (!this.url) return;
    this.asked?.abort();
    this.asked = new AbortController();
    this.out.setAttribute("aria-busy", "true");
    try {
      const { view, url } = this;
      this.show(await ask(url, this.asked.signal), view);
      this.out.removeAttribute("aria-busy");
    } catch (error) {
      if (error.name !== "AbortError") throw error; // a newer question has taken its place
    }
  }

  show(answer, view) {
    const told = answer.value && typeof answer.value === "object" ? answer.value : {};
    const said = sentence(answer.url, answer, view);
    if (!this.out.firstChild) {
      this.out.append(el("p", { class: "explored-news", role: "status" }), el("div", { class: "columns" }));
    }
    const [news, columns] = this.out.children;
    if (news.textContent !== said) news.textContent = said;
    replace(columns,
      el("div", { class: "column" },
        statusLine(answer),
        isProblem(answer) && problemFacts(told),
        this.sells && view.name === "product" && told.product && el("p", {}, addButton(told.product.id, told.product.title, "product")),
        answer.calls.length > 0 && waterfall(answer, view, axis(answer.total), `x${view.route}`),
        declaration(this.declared[view.name], "x")),
      el("div", { class: "column" }, fold("x-json", true,
        [el("b", {}, answer.type || "no body"), ` ${bytes(answer.size)}`],
        () => el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "The answer as JSON", "data-scroll": "x-json", "data-key": "x-json-scroll" },
          tree(answer.value, `x${view.route}`)), { class: "block" })));
  }
}
