// The frame of the page: its places, and what they have in common.
//
// A place has a name, an element and what happens when it is shown (`enter`), refreshed (`refresh`) and when a key is
// pressed (`key`, which returns whether the key means something there).

import { ACTIONS, forgetOld } from "./choices.js";
import { Answered } from "./answered.js";
import { el, visible } from "./dom.js";
import { Explorer } from "./explorer.js";
import { Inbox } from "./inbox.js";
import { notices, openDialog, say, unsay } from "./notices.js";
import { Review } from "./review.js";
import { anchor, followTheme, keepAnchor } from "./theme.js";

const REFRESH = 20_000;
const PULSE = 3000;

const review = new Review({ go, done: stamp });
const places = {
  inbox: new Inbox({ review: openReview, say }),
  review,
  answered: new Answered({ say, done: stamp }),
  explorer: new Explorer({ say }),
};
const links = Object.fromEntries(Object.entries(places).map(([id, place], index) => [id,
  el("a", { href: `#${id}`, "aria-keyshortcuts": String(index + 1), onclick: (event) => { event.preventDefault(); go(id); } }, place.name)]));
const app = document.getElementById("app");
const shown = el("div", { class: "place" });
const fresh = el("span", { class: "quiet" });
// Empty until the first place is shown.
let current = "";

function layout() {
  const title = el("h1", { tabindex: "-1" }, "Disputes");
  app.replaceChildren(
    el("header", { class: "top" }, title,
      el("nav", { "aria-label": "Places" }, Object.values(links)),
      el("div", { class: "right" }, fresh,
        el("button", { type: "button", class: "round", "aria-label": "Refresh", title: "Refresh", onclick: refresh }, "↻"),
        el("button", { type: "button", class: "round", "aria-label": "Keyboard shortcuts", title: "Keyboard shortcuts", onclick: help }, "?"))),
    notices, shown);
  title.focus();
}

function go(id, step = true) {
  // The explorer's address also names its operation.
  if (id !== current && step) keepAnchor(id, Boolean(current));
  current = id;
  for (const [each, link] of Object.entries(links)) link.setAttribute("aria-current", each === id ? "page" : "false");
  const place = places[id];
  shown.replaceChildren(place.element);
  place.enter();
}

/** Opens a dispute of the inbox. */
async function openReview(uid) {
  if (await review.find(uid)) go("review");
  else say("attention", "The review of this dispute has just ended.");
}

/** Reads the open reviews, and what the shown place lists. */
async function refresh() {
  try {
    await review.refresh();
    if (current && current !== "review") await places[current].refresh();
    unsay("session");
  } catch (problem) {
    if (current) say("bad", problem.message, "session");
    else app.replaceChildren(el("p", { class: "message", role: "status" }, visible(problem.message)));
  }
}

function stamp() {
  fresh.replaceChildren("Updated ", new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" }).format(new Date()));
  links.review.replaceChildren(`${review.name} `, el("span", { class: "count" }, String(review.count)));
}

function help() {
  const keys = {
    ...Object.fromEntries(Object.values(places).map((place, index) => [index + 1, place.name])),
    "J / K": "Next / previous dispute", ...Object.fromEntries(Object.values(ACTIONS).map(({ key, label }) => [key.toUpperCase(), label])),
    "Backspace": "Clear the decision", "A": "Submit all that are ready", "Ctrl Enter": "Respond", "/": "Search", "?": "This list",
  };
  const dialog = el("dialog", { class: "summary small", "aria-labelledby": "keys-title" },
    el("h2", { id: "keys-title" }, "Keyboard shortcuts"),
    el("dl", { class: "keys" }, Object.entries(keys).map(([key, text]) => el("div", {}, el("dt", {}, el("kbd", {}, key)), el("dd", {}, text)))),
    el("div", { class: "buttons" }, el("button", { type: "button", class: "primary", onclick: () => dialog.close() }, "Close")));
  openDialog(dialog);
}

addEventListener("keydown", (event) => {
  if (event.altKey || (event.repeat && event.key === "Enter") || document.querySelector("dialog[open]")) return;
  const place = places[current];
  const respond = event.key === "Enter" && (event.ctrlKey || event.metaKey);
  if (event.target.matches("input:not([type=radio], [type=checkbox]), textarea, select") && !respond) {
    if (event.key === "Escape") event.target.blur();
    if (event.key === "Enter" && place?.entered?.(event.target)) event.preventDefault();
    return;
  }
  if ((event.ctrlKey || event.metaKey) && !respond) return;
  const id = Object.keys(places)[Number(event.key) - 1];
  if (event.key === "?") help();
  else if (id) go(id);
  else if (event.key === "/" && place?.search) place.search.focus();
  else if (!place?.key?.(respond ? "respond" : event.key)) return;
  event.preventDefault();
});

/** Reads the reviews again as soon as one has changed. */
async function watch() {
  if (document.hidden || await review.isCurrent().catch(() => true)) return;
  await refresh();
}

/** Returns the place that the address names. */
function named() {
  const [id] = anchor().split("/");
  return id in places ? id : null;
}

// The browser's buttons *Back* and *Forward*.
addEventListener("popstate", () => {
  if (!current || !named()) return;
  keepAnchor(anchor());
  go(named(), false);
});
addEventListener("focus", refresh);
followTheme();
forgetOld();
layout();
await refresh();
if (review.user) {
  // The user may have chosen a place while the reviews were read.
  if (!current) go(named() ?? (review.count ? "review" : "inbox"), !named());
  setInterval(() => document.hidden || refresh(), REFRESH);
  setInterval(watch, PULSE);
}
