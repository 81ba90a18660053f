// The evidence: texts verbatim, documents page by page.

import { bytes, el, visible } from "./dom.js";
import { page, tell } from "./pages.js";
import { sentence } from "./server.js";
import { common } from "./texts.js";

const SHORT = 90;
// A text with columns keeps a font of equal widths.
const ALIGNED = /\t| {3}|[|]/;
// Digits of the digest in a document's name at the API, at least.
const SHORTEST_DIGEST = 12;
// What a reviewer must know about the origin of a piece; evidence that is simply the case's has no chip.
const ORIGINS = {
  kept: "Existing evidence kept; the case differs",
  foreign: "Not from the case",
  overwritten: "Existing evidence overwritten",
};

/** Returns all evidence of a dispute, in the groups and the order in which a bank reads it. */
export function evidence(pieces, address) {
  if (!pieces.length) return el("p", { class: "quiet" }, "This dispute has no evidence.");
  const groups = [...new Set(pieces.map((piece) => piece.group))];
  return groups.map((group) => el("section", { class: "group" },
    el("h3", {}, group),
    groupOf(pieces.filter((piece) => piece.group === group), address)));
}

/** Returns the evidence of a group: short texts as a table, then longer texts, then documents. */
function groupOf(pieces, address) {
  const [documents, texts] = [pieces.filter((piece) => piece.document), pieces.filter((piece) => !piece.document)];
  const short = texts.filter(isShort);
  return [
    short.length ? el("dl", { class: "short" }, short.map(row)) : null,
    texts.filter((piece) => !isShort(piece)).map(textOf),
    documents.map((piece) => documentOf(piece, address)),
  ];
}

function isShort(piece) {
  const text = piece.text;
  return typeof text === "string" && text.length <= SHORT && !/[\n\r]/.test(text) && !piece.earlier && !piece.not_written;
}

function row(piece) {
  return el("div", { class: piece.changed ? "changed" : null },
    el("dt", { title: piece.name }, visible(piece.label)),
    el("dd", {}, el("span", { class: "text", dir: "auto" }, visible(piece.text)), chips(piece)));
}

function chips(piece) {
  const origin = ORIGINS[piece.difference];
  return [
    piece.changed ? el("span", { class: "chip bad" }, "Changed since staging") : null,
    origin ? el("span", { class: "chip attention" }, origin) : null,
  ];
}

function head(piece, ...facts) {
  return el("header", {}, el("h4", { title: piece.name }, visible(piece.label)), chips(piece),
    el("span", { class: "facts" }, facts.filter(Boolean).join(" · ")));
}

function textOf(piece) {
  const { text, earlier, not_written: unused } = piece;
  const compared = earlier ? beside({ "From the case": text, "Before staging": earlier })
    : unused ? beside({ "On the dispute": text, "From the case, not used": unused }) : body(visible(text), text);
  return el("article", { class: piece.changed ? "piece changed" : "piece" },
    head(piece, `${text.length.toLocaleString("en")} characters`),
    compared);
}

function body(shown, text) {
  return el("pre", { class: ALIGNED.test(text) ? null : "prose", tabindex: "0", dir: "auto" }, shown);
}

/** Returns the text that will be sent and another, side by side under their names, with what differs marked. */
function beside(texts) {
  const [[name, text], [otherName, other]] = Object.entries(texts);
  const { start, end } = common(text, other);
  const marked = (title, whole, tag) => el("section", { "aria-label": title }, el("h5", {}, title),
    body([visible(whole.slice(0, start)), el(tag, {}, visible(whole.slice(start, whole.length - end))), visible(whole.slice(whole.length - end))], whole));
  return el("div", { class: "beside" }, marked(name, text, "ins"), marked(otherName, other, "del"));
}

/** Returns a document with its pages; a document whose bytes were not kept has no preview. */
export function documentOf(piece, address) {
  const { sha256, filename, size, content_type: type, original, exhibits } = piece.document;
  const article = el("article", { class: piece.changed ? "piece changed" : "piece" });
  const facts = [typeName(type), size === null || size === undefined ? null : bytes(size)];
  if (!sha256) {
    article.append(head(piece, ...facts),
      el("p", { class: "file" }, fileName(filename) ?? visible(piece.document.id)),
      el("p", { class: "quiet" }, "This document was not uploaded from the case. Open it on the dispute's page at the API."));
    return article;
  }
  article.dataset.sha256 = sha256;
  const place = `${address}/documents/${encodeURIComponent(sha256)}`;
  const download = el("a", { href: `${place}/original`, download: true, class: "download" }, "Download original");
  const before = original && el("a", {
    href: `${address}/documents/${encodeURIComponent(original)}/original`, download: true, class: "download",
  }, "Download the file before it was prepared");
  const joined = exhibits.map(({ path, sha256: file }) => el("li", {}, el("a", {
    href: `${address}/documents/${encodeURIComponent(file)}/original`, download: true, class: "download",
  }, visible(path))));
  const body = el("div", { class: "pages" }, el("p", { class: "quiet", role: "status" }, "Loading…"));
  article.append(...[
    head(piece, ...facts),
    el("p", { class: "file", title: `sha256 ${sha256}` }, fileName(filename, sha256), download),
    before ? el("p", { class: "quiet" }, "This document was prepared. ", before) : null,
    joined.length ? el("div", { class: "quiet" }, "This document was joined from:", el("ol", {}, ...joined)) : null,
    body,
  ].filter(Boolean));
  fill(article, body, piece, place);
  return article;
}

/** Returns a file's name as its owner wrote it: staging adds the start of the digest. */
function fileName(name, sha256) {
  if (!name) return null;
  return visible(sha256 ? name.replace(new RegExp(`-${sha256.slice(0, SHORTEST_DIGEST)}[0-9a-f]*(?=[.]|$)`), "") : name);
}

/** Returns "JPEG" for "image/jpeg". */
function typeName(contentType) {
  return contentType?.split("/").pop().toUpperCase();
}

async function fill(article, body, piece, place) {
  try {
    const answer = await fetch(place);
    const known = await answer.json();
    if (!answer.ok) throw new Error(sentence(known.detail));
    article.querySelector("header").replaceWith(
      head(piece, typeName(known.content_type), `${known.pages} ${known.pages === 1 ? "page" : "pages"}`, bytes(known.size)));
    if (known.pages > 1) {
      body.classList.add("many");
      body.tabIndex = 0;
    }
    body.replaceChildren(...Array.from({ length: known.pages }, (_, index) => page(place, index + 1, known.pages)));
  } catch (problem) {
    tell(article, 0);
    body.replaceChildren(el("p", { class: "problem" }, visible(`Cannot show this document: ${problem.message}`)));
  }
}
