// The reference of an operation, in sections that fold.

import { el, visible } from "./dom.js";

const OPEN = 3;

/** Returns the sections of a reference; the first ones are open. */
export function referenceOf(sections) {
  return sections.map((section, index) => {
    const content = [
      section.text ? el("p", {}, inline(section.text)) : null,
      section.rows.length ? tableOf(section) : null,
      section.code ? el("pre", { tabindex: "0" }, section.code) : null,
    ];
    if (!section.title) return el("div", { class: "part" }, content);
    return el("details", { open: index <= OPEN }, el("summary", {}, el("h3", {}, section.title)), content);
  });
}

function tableOf({ columns, rows }) {
  if (!columns.length)
    return el("dl", { class: "short" }, rows.map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, inline(value)))));
  return el("div", { class: "wide", tabindex: "0", role: "region", "aria-label": "Table" }, el("table", {},
    el("thead", {}, el("tr", {}, columns.map((name) => el("th", { scope: "col" }, name)))),
    el("tbody", {}, rows.map((row) => el("tr", {}, row.map((cell) => el("td", {}, inline(cell))))))));
}

/** Returns a text with its `code` and **bold** parts as elements. */
export function inline(text) {
  return text.split(/(`[^`]+`|\*\*[^*]+\*\*)/).map((part) => {
    if (/^`.+`$/.test(part)) return el("code", {}, visible(part.slice(1, -1)));
    if (/^\*\*.+\*\*$/.test(part)) return el("strong", {}, visible(part.slice(2, -2)));
    return visible(part);
  });
}
