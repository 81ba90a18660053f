// The desk: the disputes of all open reviews, one after the other, with their decisions next to the evidence.

import { ACTIONS, Choices, forgetOld, placeOf, reservations } from "./choices.js";
import { Answered } from "./answered.js";
import { Decision } from "./decision.js";
import { show } from "./dispute.js";
import { el, moment, visible } from "./dom.js";
import { Inbox } from "./inbox.js";
import { Queue } from "./queue.js";
import { changed, openSummary } from "./respond.js";
import { addressOf, ask } from "./server.js";
import { followTheme } from "./theme.js";

const REFRESH = 20_000;
const REFRESH_ANSWERED = 3000;

/** What the page shows: an item is a dispute of a review. */
const desk = { user: null, reviews: [], items: [], current: null, none: "", hold_reasons: [], left_out: 0 };

const app = document.getElementById("app");
const notices = el("div", { class: "notices", role: "status" });
const evidence = el("main", { tabindex: "-1", "aria-label": "Evidence" });
const queue = new Queue(desk, (item) => select(item, true));
const decision = new Decision(desk, { decide, change, move });
const answered = new Answered();
const inbox = new Inbox({ review: openReview, say });
const tray = el("div", { class: "tray", role: "region", "aria-label": "Answer" });
const fresh = el("span", { class: "quiet" });
const tabs = { inbox: el("a", { href: "#inbox" }, "Inbox"), review: el("a", { href: "#review" }), answered: el("a", { href: "#answered" }, "Answered") };
const places = el("div", { class: "place" });
// Empty until the first place is shown.
let place = "";

function layout() {
  const title = el("h1", { tabindex: "-1" }, "Disputes");
  app.replaceChildren(
    el("header", { class: "top" }, title,
      el("nav", { "aria-label": "Places" }, Object.entries(tabs).map(([name, link]) => {
        link.addEventListener("click", (event) => { event.preventDefault(); go(name); });
        return link;
      })),
      el("div", { class: "right" }, fresh,
        el("button", { type: "button", class: "round", "aria-label": "Refresh", title: "Refresh", onclick: () => refresh(true) }, "↻"),
        el("button", { type: "button", class: "round", "aria-label": "Keyboard shortcuts", onclick: help }, "?"))),
    notices, places);
  title.focus();
}

function go(name) {
  place = name;
  for (const [each, link] of Object.entries(tabs)) link.setAttribute("aria-current", each === name ? "page" : "false");
  if (name === "answered") {
    places.className = "place";
    places.replaceChildren(answered.element);
    followAnswered();
  } else if (name === "inbox") {
    places.className = "place";
    places.replaceChildren(inbox.element);
    inbox.load();
  } else showReviews();
}

/** Opens a dispute of the inbox, whose review may be newer than this page. */
async function openReview(uid) {
  await refresh();
  const item = desk.items.find((each) => each.uid === uid);
  if (!item) return say("attention", "The review of this dispute has just ended.");
  desk.current = item;
  go("review");
  select(item, true);
}

function showReviews() {
  if (!desk.items.length) {
    places.className = "place";
    places.replaceChildren(el("div", { class: "empty" },
      el("p", { class: "big" }, "Nothing to review"),
      el("p", {}, "Open reviews appear here as soon as disputes are staged. The sweep stages new and changed cases."),
      el("button", { type: "button", onclick: () => go("answered") }, "See what was answered")));
    return;
  }
  places.className = "place desk";
  places.replaceChildren(queue.element, evidence, decision.element, tray);
  if (!desk.items.includes(desk.current)) select(remembered() ?? desk.items[0], false);
}

async function followAnswered() {
  for (let wait = 0; place === "answered"; wait = REFRESH_ANSWERED) {
    await new Promise((resume) => setTimeout(resume, wait));
    if (place !== "answered" || document.hidden) continue;
    await answered.load().catch((problem) => say("bad", problem.message));
    stamp();
  }
}

/** Reads the open reviews; what changed while the page was open is said, and choices are kept. */
async function refresh(asked = false) {
  let found;
  try {
    found = await ask("reviews");
  } catch (problem) {
    if (!desk.user) return app.replaceChildren(el("p", { class: "message", role: "status" }, visible(problem.message)));
    return say("bad", problem.message, "session");
  }
  unsay("session");
  if (asked && place === "answered") await answered.load();
  if (place === "inbox" && desk.user) await inbox.load();
  const before = desk.reviews;
  const names = (reviews) => reviews.map((review) => [review.id, review.try_number, review.may_answer, ...review.disputes.map((each) => each.key)].join()).join(";");
  const same = desk.user && names(before) === names(found.reviews);
  desk.user ??= found.user;
  stamp();
  if (same) return;
  const current = desk.current?.uid;
  Object.assign(desk, found);
  for (const review of desk.reviews) {
    review.choices = new Choices(desk.user, review);
    review.on_desk = true;
  }
  for (const review of desk.reviews.filter((each) => !each.disputes.length))
    say("bad", `None of the disputes of ${review.dag_id} · ${review.run_id} can be verified. Open its Evidence tab.`);
  desk.reviews = desk.reviews.filter((review) => review.disputes.length);
  desk.reviews.sort((one, other) => dueOf(one).localeCompare(dueOf(other)));
  desk.items = desk.reviews.flatMap((review) => review.disputes.map((dispute) => ({ uid: `${review.id}:${dispute.key}`, dispute, review, choices: review.choices })));
  for (const review of before) await gone(review);
  for (const review of desk.reviews) offerEarlier(review);
  desk.current = desk.items.find((item) => item.uid === current) ?? null;
  tabs.review.replaceChildren("Review ", el("span", { class: "count" }, String(desk.items.length)));
  queue.fill();
  if (desk.left_out) say("attention", `${desk.left_out} more reviews appear here once these are answered.`, "left-out");
  if (place === "review") showReviews();
  if (desk.current) update();
}

const dueOf = (review) => review.disputes.map((dispute) => dispute.due).filter(Boolean).sort()[0] ?? "9";

/** Says why a review is no longer open, unless its answer was sent from here. */
async function gone(review) {
  if (review.sent || desk.reviews.some((each) => each.id === review.id && each.try_number === review.try_number)) return;
  const count = Object.keys(review.choices.choices).length;
  const kept = count ? ` Nothing was sent from here; your ${count} choices are kept in this browser.` : "";
  const form = await ask(`${addressOf(review)}/form`).catch(() => null);
  const why = form ? changed(review, form) : "the review was deleted.";
  if (why) say("attention", `${review.disputes.length === 1 ? review.disputes[0].dispute : `A review of ${review.disputes.length} disputes`}: ${why}${kept}`);
}

/** Offers the choices about an earlier opening of a review. */
function offerEarlier(review) {
  const earlier = review.choices.earlier(review.disputes);
  const [same, other] = [Object.keys(earlier.restorable).length, earlier.changed.length];
  if (!same && !other) return;
  const id = `earlier ${placeOf(review)}`;
  const parts = [
    same ? `You had decided ${same} of its disputes, whose evidence is unchanged.` : null,
    other ? `The evidence of ${earlier.changed.map((each) => each.dispute).join(", ")} has changed: decide again.` : null,
  ].filter(Boolean);
  const done = (act) => { act(); unsay(id); queue.update(); update(); };
  say("attention", `A review was opened again. ${parts.join(" ")}`, id,
    same ? el("button", { type: "button", onclick: () => done(() => review.choices.restore(earlier)) }, "Restore choices") : null,
    el("button", { type: "button", onclick: () => done(() => review.choices.dismiss(earlier)) }, "Dismiss"));
}

function say(tone, text, id = text, ...buttons) {
  unsay(id);
  const notice = el("div", { class: `notice ${tone}` }, el("p", {}, visible(text)), buttons,
    buttons.length ? null : el("button", { type: "button", "aria-label": "Dismiss", onclick: () => notice.remove() }, "×"));
  notice.dataset.id = id;
  notices.append(notice);
}

function unsay(id) {
  for (const notice of [...notices.children]) if (notice.dataset.id === id) notice.remove();
}

function stamp() {
  fresh.replaceChildren("Updated ", new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" }).format(new Date()));
}

function remembered() {
  const uid = localStorage.getItem(`disputes-at:${desk.user.id}`);
  return desk.items.find((item) => item.uid === uid);
}

function select(item, focus) {
  desk.current = item;
  if (!item) return;
  localStorage.setItem(`disputes-at:${desk.user.id}`, item.uid);
  show(evidence, item.review, item.dispute, {
    refresh: () => select(item, false),
    loaded: () => item.choices.open(item.dispute),
  });
  evidence.scrollTo(0, 0);
  places.classList.toggle("reading", focus);
  update();
  queue.reveal();
  if (focus) evidence.focus({ preventScroll: true });
}

function update() {
  queue.update();
  decision.show();
  showTray();
}

function move(steps) {
  const visibleItems = desk.items.filter((item) => item === desk.current || !queue.rows.get(item.uid).row.hidden);
  const next = visibleItems[visibleItems.indexOf(desk.current) + steps];
  if (next) select(next, true);
}

/** Stores a decision and goes on to the next undecided dispute, unless the decision needs more. */
function decide(action) {
  const item = desk.current;
  if (!item?.review.may_answer || (action && !item.dispute.entries[action])) return;
  item.choices.choose(item.dispute, action ? { action } : null);
  if (["submit", "edit", "reject"].includes(action)) {
    const rest = [...desk.items.slice(desk.items.indexOf(item) + 1), ...desk.items.slice(0, desk.items.indexOf(item))];
    const next = rest.find((each) => each.review.may_answer && !each.choices.of(each.dispute));
    if (next) return select(next, true);
  }
  update();
  decision.element.querySelector(".details input")?.focus();
}

function change(choice) {
  desk.current.choices.choose(desk.current.dispute, choice);
  queue.update();
  showTray();
}

function showTray() {
  const decided = desk.items.filter((item) => item.choices.isDecided(item.dispute)).length;
  const open = desk.items.filter((item) => item.review.may_answer && !item.choices.of(item.dispute));
  const ready = open.filter((item) => !reservations(item.dispute).length);
  tray.replaceChildren(...[
    el("button", { type: "button", class: "back", onclick: () => places.classList.remove("reading") }, "← List"),
    el("div", { class: "progress" },
      el("progress", { value: decided, max: desk.items.length, "aria-label": "Decided disputes" }),
      el("span", {}, el("strong", {}, String(decided)), ` of ${desk.items.length} decided`)),
    ready.length ? el("button", { type: "button", onclick: () => submitReady(ready, open) }, `Submit all ${ready.length} ready…`) : null,
    el("button", { type: "button", class: "primary", disabled: !decided, onclick: summary }, "Respond…"),
  ].filter(Boolean));
}

/** Decides to submit what has no reservations, after naming what that leaves out. */
function submitReady(ready, open) {
  const left = open.filter((item) => !ready.includes(item));
  const accept = el("button", { type: "button", class: "primary" }, `Choose “Submit” for ${ready.length}`);
  const dialog = el("dialog", { class: "summary", "aria-labelledby": "ready-title" },
    el("h2", { id: "ready-title" }, `Submit all ${ready.length} that are ready`),
    el("p", { class: "quiet" }, "This only makes the choice. Nothing is sent until you respond."),
    left.length ? el("section", { class: "card" }, el("h3", {}, `Left out: ${left.length}`),
      el("ul", { class: "notes" }, left.map(({ dispute }) => el("li", {}, el("strong", {}, dispute.money), " ", el("code", {}, visible(dispute.dispute)), ` ${reservations(dispute).join("; ")}`)))) : null,
    el("div", { class: "buttons" }, el("button", { type: "button", onclick: () => dialog.close() }, "Cancel"), accept));
  accept.addEventListener("click", () => {
    for (const { choices, dispute } of ready) choices.choose(dispute, { action: "submit" });
    dialog.close();
  });
  open1(dialog);
}

function open1(dialog) {
  document.body.append(dialog);
  dialog.showModal();
  dialog.addEventListener("close", () => { dialog.remove(); if (desk.current) update(); });
}

async function summary() {
  const result = await openSummary(desk, (review) => { review.sent = true; review.choices.forget(); });
  await refresh();
  if (result === "answered") go("answered");
  else update();
}

function help() {
  const keys = { "J / K": "Next / previous dispute", ...Object.fromEntries(Object.values(ACTIONS).map(({ key, label }) => [key.toUpperCase(), label])), "Backspace": "Clear the decision", "/": "Search", "?": "This list" };
  const dialog = el("dialog", { class: "summary small", "aria-labelledby": "keys-title" },
    el("h2", { id: "keys-title" }, "Keyboard shortcuts"),
    el("dl", { class: "keys" }, Object.entries(keys).map(([key, text]) => el("div", {}, el("dt", {}, el("kbd", {}, key)), el("dd", {}, text)))),
    el("div", { class: "buttons" }, el("button", { type: "button", class: "primary", onclick: () => dialog.close() }, "Close")));
  open1(dialog);
}

addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
  if (event.target.matches("input:not([type=radio]), textarea")) {
    if (event.key === "Escape") event.target.blur();
    if (event.key === "Enter" && event.target.closest(".decision")) move(1);
    return;
  }
  if (event.key === "?") return help();
  if (place !== "review" || !desk.current) return;
  const action = Object.keys(ACTIONS).find((each) => ACTIONS[each].key === event.key);
  const steps = { j: 1, k: -1 }[event.key];
  if (action) decide(action);
  else if (steps) move(steps);
  else if (event.key === "Backspace") decide(null);
  else if (event.key === "/") queue.search.focus();
  else return;
  event.preventDefault();
});

// Another window of the same browser may have made a choice.
addEventListener("storage", ({ key }) => {
  const review = desk.reviews.find((each) => each.choices.name === key);
  if (!review) return;
  review.choices.load();
  update();
});

addEventListener("focus", () => refresh());
followTheme();
forgetOld();
layout();
await refresh();
if (desk.user) {
  const asked = location.hash.slice(1);
  // The user may have chosen a place while the reviews were read.
  if (!place) go(asked in tabs ? asked : desk.items.length ? "review" : "inbox");
  setInterval(() => document.hidden || refresh(), REFRESH);
}
