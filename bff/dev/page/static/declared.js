// The file that declares a view, with dimmed comments.

import { el, fold } from "./dom.js";

export function declaration(file, key) {
  if (!file?.text) return null;
  const lines = file.text.replace(/\n$/, "").split("\n");
  return fold(`${key}-declared-${file.file}`, false,
    ["Declared in ", el("b", {}, file.file), ` ${lines.length} lines`],
    () => el("pre", { class: "source scroll", tabindex: "0", "aria-label": file.file, "data-scroll": `${key}-declared`, "data-key": `${key}-declared-pre` },
      lines.map((line) => {
        const at = line.search(/(^|\s)#/);
        return at < 0 ? `${line}\n` : [line.slice(0, at), el("span", { class: "j-comment" }, `${line.slice(at)}\n`)];
      })),
    { class: "block" });
}
