// A page of a document, which can be zoomed and turned.

import { el, visible } from "./dom.js";
import { sentence } from "./server.js";

const [FIT, LARGE] = [1200, 1800];
// The part of a page that must be on screen; a page can be higher than the screen.
const SEEN = 0.1;

/** Tells a document's listeners that one of its pages was on screen, or that it has none to show. */
export function tell(element, pages, number) {
  element.dispatchEvent(new CustomEvent("page", { bubbles: true, detail: { pages, number } }));
}

/** Returns a page that loads when it comes into view. */
export function page(place, number, pages) {
  const source = (width) => `${place}/pages/${number}?width=${width}`;
  const name = `Page ${number} of ${pages}`;
  // Until it loads, it takes the space of a sheet of paper, so that pages further down are not requested yet.
  const image = el("img", { alt: name, loading: "lazy", decoding: "async", width: 1200, height: 1600 });
  const watch = new IntersectionObserver((entries) => {
    if (!entries.some((entry) => entry.isIntersecting)) return;
    watch.disconnect();
    tell(image, pages, number);
  }, { threshold: SEEN });
  image.addEventListener("load", () => {
    ["width", "height"].forEach((side) => image.removeAttribute(side));
    watch.observe(image);
  }, { once: true });
  image.src = source(FIT);
  const zoom = el("button", { type: "button", class: "zoom", "aria-pressed": "false", title: "Zoom in or out", "aria-label": `${name}: zoom` }, image);
  zoom.addEventListener("click", () => {
    const large = zoom.getAttribute("aria-pressed") !== "true";
    zoom.setAttribute("aria-pressed", String(large));
    image.src = source(large ? LARGE : FIT);
  });
  const turn = el("button", { type: "button", class: "turn", title: "Rotate by a quarter", "aria-label": `${name}: rotate` }, "↻");
  turn.addEventListener("click", () => (zoom.dataset.turn = (Number(zoom.dataset.turn ?? 0) + 1) % 4));
  const figure = el("figure", {}, zoom, el("figcaption", {}, pages > 1 ? name : null, turn));
  image.addEventListener("error", async () => {
    const answer = await fetch(image.src).catch(() => null);
    const known = await answer?.json().catch(() => null);
    const why = known ? sentence(known.detail) : "the page was not rendered";
    tell(image, pages, number);
    figure.replaceChildren(el("p", { class: "problem" }, visible(`Cannot show ${name.toLowerCase()}: ${why}`)));
  });
  return figure;
}
