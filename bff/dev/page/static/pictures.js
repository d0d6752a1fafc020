// Product pictures as SVG: a silhouette by the kind of product, a colour by its id.

import { el, svg } from "./dom.js";

const HUES = [14, 34, 48, 96, 152, 178, 204, 224, 262, 334];

// Silhouettes in 48 x 48: first the body, then the details.
const KINDS = [
  [/\b(pendant|lantern|cluster|globe)/gi, "M23 4h2v10h-2zM24 13c9 0 15 7 15 16H9c0-9 6-16 15-16z", "M19 31a5 5 0 0 0 10 0z"],
  [/\b(floor|arc|tripod|uplighter)/gi, "M17 5h14l5 14H12zM23 19h2v14l9 10h-3l-7-8-7 8h-3l9-10z", "M23 22h2v8h-2z"],
  [/\b(lamp)/gi, "M26 8l12 9-5 6-12-9zM24 13l-8 13 6 13h-3l-6-13 8-15zM10 39h24v4H10z", "M31 21l6 7-7 1z"],
  [/\b(candle|tealight)/gi, "M18 18h12v24H18z", "M24 5c4 5 4 9 0 11-4-2-4-6 0-11z"],
  [/\b(chair|stool)/gi, "M14 6h20v16H14zM12 25h24v5H12zM22 30h4v7h9v4H13v-4h9z", "M18 10h12v8H18z"],
  [/\b(desk|table|bench)/gi, "M5 16h38v5H5zM8 21h4v21H8zM36 21h4v21h-4z", "M24 21h12v9H24z"],
  [/\b(tent|tarp)/gi, "M24 8l20 32H4z", "M24 20l8 20H16z"],
  [/\b(pack|hammock)/gi, "M14 14c0-6 4-9 10-9s10 3 10 9v26c0 2-1 3-3 3H17c-2 0-3-1-3-3z", "M18 27h12v9H18zM19 14h10v3H19z"],
  [/\b(knife|santoku|cleaver|secateurs|trowel|fork|tool)/gi, "M6 17h27c6 0 9 4 10 9H6z", "M6 17h11v9H6z"],
  [/\b(kettle|samovar|watering|stove)/gi, "M14 18h18l5 22H11zM34 22l9-6-5 14zM17 17c0-9 12-9 12 0h-3c0-5-6-5-6 0z", "M11 40l1-4h24l1 4z"],
  [/\b(grinder|mortar|preamp)/gi, "M14 16h20l-3 9h-14zM13 26h22v17H13zM23 9h14v3H26v4h-3z", "M19 32h10v6H19z"],
  [/\b(french press|siphon|dripper|flask|bottle|canister|jar|mister)/gi, "M17 12h14v3c3 2 4 4 4 7v20H13V22c0-3 1-5 4-7zM18 6h12v4H18z", "M13 28h22v9H13z"],
  [/\b(cup|mug|tea bowl)/gi, "M10 15h24v14c0 7-4 11-9 11h-6c-5 0-9-4-9-11zM34 18c9-1 9 13 0 13v-4c4 0 4-6 0-5z", "M10 15h24v6H10z"],
  [/\b(pan|wok|pot|casserole|bowl)/gi, "M9 20h30v14c0 4-2 6-6 6H15c-4 0-6-2-6-6zM3 22h6v4H3zM39 22h6v4h-6z", "M11 15h26v3H11zM22 10h4v5h-4z"],
  [/\b(board|tray|tin|sheet|rack|box|stand|bread)/gi, "M8 12h32v26H8z", "M13 17h22v4H13zM13 25h22v2H13zM13 31h14v2H13z"],
  [/\b(notebook|sketchbook|planner|cards|book)/gi, "M11 6h26v36H11z", "M11 6h6v36h-6zM22 14h10v3H22z"],
  [/\b(headphones|headset|earbuds)/gi, "M8 30c0-13 6-22 16-22s16 9 16 22h-4c0-11-5-18-12-18s-12 7-12 18z", "M7 27h8v14H7zM33 27h8v14h-8z"],
  [/\b(speaker|radio|soundbar)/gi, "M12 6h24v36H12z", "M24 10a4 4 0 1 0 .1 0zM24 22a8 8 0 1 0 .1 0z"],
  [/\b(turntable|record)/gi, "M5 12h38v26H5z", "M21 15a10 10 0 1 0 .1 0zM36 15h3v15h-3z"],
  [/\b(sheet|towel|blanket|quilt|duvet|pillow|bag|mat|throw|bedspread)/gi, "M8 14h32v8H8zM8 24h32v8H8zM8 34h32v7H8z", "M8 14h8v8H8zM8 24h8v8H8zM8 34h8v7H8z"],
  [/\b(robe|kimono|slippers|kilt)/gi, "M17 7h14l11 11-5 6-4-3v21H15V21l-4 3-5-6z", "M21 7h6l-3 14z"],
  [/\b(planter|raised|hose|gauge|garden)/gi, "M13 24h22l-3 18H16z", "M23 24c0-8-8-6-10-15 8 0 11 4 11 9 1-7 5-10 12-10-1 9-9 8-10 16z"],
];
const OTHER = ["M12 12h24v30H12z", "M18 6h12v10H18z"];

function hash(text) {
  let value = 2166136261;
  for (const each of text) value = Math.imul(value ^ each.codePointAt(0), 16777619);
  return value >>> 0;
}

// By the last word of the title: the brand Quiet Desk makes notebooks.
function kind(title) {
  let best = OTHER;
  let last = -1;
  for (const [words, ...shapes] of KINDS) {
    const at = Math.max(-1, ...[...title.matchAll(words)].map((found) => found.index));
    if (at > last) [best, last] = [shapes, at];
  }
  return best;
}

// `title` is null for an unknown product, which gets an empty frame.
export function picture(id, title) {
  if (!title) {
    return el("span", { class: "pic pic-none", role: "img", "aria-label": "No picture" });
  }
  const [body, detail] = kind(title);
  const box = el("span", { class: "pic", "aria-hidden": "true" },
    svg("svg", { viewBox: "0 0 48 48" }, svg("path", { class: "pic-body", d: body }), svg("path", { class: "pic-detail", d: detail })));
  box.style.setProperty("--hue", HUES[hash(id) % HUES.length]);
  return box;
}

export function stars(value) {
  if (value === null || value === undefined) return null;
  const meter = el("span", { class: "stars", role: "img", "aria-label": `${value.toFixed(1)} of 5 stars` },
    el("span", { class: "stars-all" }, "★★★★★"));
  const lit = el("span", { class: "stars-lit" }, "★★★★★");
  lit.style.width = `${(value / 5) * 100}%`;
  meter.append(lit);
  return el("span", { class: "rating" }, meter, el("span", { "aria-hidden": "true" }, value.toFixed(1)));
}
