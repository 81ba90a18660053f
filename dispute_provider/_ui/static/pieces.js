// The evidence itself: texts as they are, documents page by page.

import { bytes, el, spoken, visible } from "./dom.js";

const SHORT = 90;
// As short_digest in _evidence/snapshot.py.
const SHOWN_DIGEST = 12;
const ORIGINS = {
  added: ["from the case", ""],
  same: ["from the case, there already", ""],
  renewed: ["from the case, renewed", ""],
  kept: ["a colleague's, kept · the case has another", "attention"],
  theirs: ["not from the case", "attention"],
  overwritten: ["from the case, in place of a colleague's", "attention"],
};

/** All that is on a dispute: short texts as a table, then longer ones, then documents. */
export function evidence(pieces, address) {
  if (!pieces.length) return el("p", { class: "quiet" }, "There is no evidence on the dispute.");
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
  return typeof text === "string" && text.length <= SHORT && !/[\n\r]/.test(text) && !piece.earlier;
}

function row(piece) {
  return el("div", { class: piece.changed ? "changed" : null },
    el("dt", {}, spoken(piece.name), el("code", {}, piece.name)),
    el("dd", {}, el("span", { class: "text", dir: "auto" }, visible(piece.text)), chips(piece)));
}

function chips(piece) {
  const [words, tone] = ORIGINS[piece.difference] ?? [null];
  return [
    piece.changed ? el("span", { class: "chip bad" }, "changed since") : null,
    words && tone ? el("span", { class: `chip ${tone}` }, words) : null,
  ];
}

function head(piece, ...facts) {
  return el("header", {}, el("h3", {}, spoken(piece.name)), el("code", {}, piece.name), chips(piece),
    el("span", { class: "facts" }, facts.filter(Boolean).join(" · ")));
}

function textOf(piece) {
  const text = piece.text ?? outline(piece.value);
  return el("article", { class: piece.changed ? "piece changed" : "piece" },
    head(piece, `${text.length.toLocaleString("en")} characters`),
    el("pre", { tabindex: "0", dir: "auto" }, visible(text)),
    before(piece));
}

function before(piece) {
  if (!piece.earlier) return null;
  const text = typeof piece.earlier === "string" ? piece.earlier : outline(piece.earlier);
  return el("details", {}, el("summary", {}, "What stood there before"), el("pre", { dir: "auto" }, visible(text)));
}

/** A structure as indented lines. */
function outline(value, indent = "") {
  if (value === null || typeof value !== "object") return `${indent}${value}`;
  return Object.entries(value)
    .map(([name, item]) => {
      const label = Array.isArray(value) ? `${Number(name) + 1}.` : `${name}:`;
      const nested = item !== null && typeof item === "object";
      return nested ? `${indent}${label}\n${outline(item, `${indent}  `)}` : `${indent}${label} ${item}`;
    })
    .join("\n");
}

/** One of the dispute's documents; of those that we have not uploaded there are no bytes to show. */
export function documentOf(piece, address) {
  const { sha256, filename, size, content_type: type } = piece.document;
  const article = el("article", { class: piece.changed ? "piece changed" : "piece" });
  const facts = [typeName(type), size === null || size === undefined ? null : bytes(size)];
  if (!sha256) {
    article.append(head(piece, ...facts),
      el("p", { class: "file" }, visible(filename ?? piece.document.id)),
      el("p", { class: "quiet" }, "Somebody else has uploaded this: open it on the dispute's own page."));
    return article;
  }
  const place = `${address}/documents/${encodeURIComponent(sha256)}`;
  const download = el("a", { href: `${place}/original`, download: true, class: "download" }, "Download the original");
  const body = el("div", { class: "pages" }, el("p", { class: "quiet", role: "status" }, "Reading…"));
  article.append(head(piece, ...facts),
    el("p", { class: "file" }, filename ? visible(filename) : null,
      el("code", { title: sha256 }, `sha256 ${sha256.slice(0, SHOWN_DIGEST)}…`), download),
    body);
  fill(article, body, piece, place);
  return article;
}

/** "image/jpeg" as "JPEG". */
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
    body.replaceChildren(el("p", { class: "problem" }, visible(`It cannot be shown: ${problem.message}`)));
  }
}

function sentence(detail) {
  return typeof detail === "string" ? detail : "the answer of Airflow was not understood";
}

/** A page: drawn when it comes into view, enlarged and back by a click. */
function page(place, number, pages) {
  const source = (width) => `${place}/pages/${number}?width=${width}`;
  const name = `Page ${number} of ${pages}`;
  // Until it has come it takes the room of a sheet of paper: so those further down are not asked for yet.
  const image = el("img", { alt: name, loading: "lazy", decoding: "async", width: 1200, height: 1600 });
  image.addEventListener("load", () => ["width", "height"].forEach((side) => image.removeAttribute(side)), { once: true });
  image.src = source(1200);
  const button = el("button", { type: "button", "aria-pressed": "false", title: "Enlarge, and back", "aria-label": `${name}: enlarge` }, image);
  button.addEventListener("click", () => {
    const large = button.getAttribute("aria-pressed") !== "true";
    button.setAttribute("aria-pressed", String(large));
    image.src = source(large ? 1800 : 1200);
  });
  const figure = el("figure", {}, button, pages > 1 ? el("figcaption", {}, name) : null);
  image.addEventListener("error", async () => {
    const answer = await fetch(image.src).catch(() => null);
    const known = await answer?.json().catch(() => null);
    const why = known ? sentence(known.detail) : "it was not drawn";
    figure.replaceChildren(el("p", { class: "problem" }, visible(`${name} cannot be shown: ${why}`)));
  });
  return figure;
}
