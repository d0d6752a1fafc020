// Creates elements; text is always inserted as text, never as markup.

const SVG = "http://www.w3.org/2000/svg";

export function el(name, attributes = {}, ...children) {
  return fill(document.createElement(name), attributes, children);
}

export function svg(name, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, name), attributes, children);
}

function fill(node, attributes, children) {
  for (const [key, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else node.setAttribute(key, value === true ? "" : value);
  }
  node.append(...children.flat(3).filter((child) => child || child === 0));
  return node;
}

// Replaces the content of a container; the keyboard focus within it is restored.
export function replace(container, ...content) {
  const focused = container.contains(document.activeElement) ? document.activeElement : null;
  const key = focused?.closest("[data-key]")?.dataset.key;
  const scrolled = new Map();
  for (const each of container.querySelectorAll("[data-scroll]")) {
    scrolled.set(each.dataset.scroll, [each.scrollLeft, each.scrollTop]);
  }
  container.replaceChildren(...content.flat(3).filter(Boolean));
  for (const each of container.querySelectorAll("[data-scroll]")) {
    const [left, top] = scrolled.get(each.dataset.scroll) ?? [0, 0];
    each.scrollLeft = left;
    each.scrollTop = top;
  }
  if (key) container.querySelector(`[data-key="${CSS.escape(key)}"]`)?.focus({ preventScroll: true });
}

// A <details> that stays open or closed although it is created again with every answer.
export function fold(key, openAtFirst, summary, content, attributes = {}) {
  const node = el("details", attributes, el("summary", { "data-key": key }, summary));
  const build = typeof content === "function" ? content : () => content;
  let built = false;
  const show = () => {
    if (node.open && !built) {
      built = true;
      node.append(...[build()].flat(3).filter(Boolean));
    }
  };
  node.open = folds.get(key) ?? openAtFirst;
  show();
  node.addEventListener("toggle", () => {
    if (node.isConnected) folds.set(key, node.open);
    show();
  });
  return node;
}

const folds = new Map();

export function milliseconds(value) {
  if (value >= 1000) return `${Number((value / 1000).toFixed(2))} s`;
  return `${Number(value.toFixed(value >= 10 ? 0 : 1))} ms`;
}

export function bytes(value) {
  return `${value.toLocaleString("en")} bytes`;
}
