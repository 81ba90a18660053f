// The place *Review*: the disputes of all open reviews, one after the other, with their decisions next to the evidence.

import { ACTIONS, Choices, placeOf, reservations } from "./choices.js";
import { Decision, isOffered } from "./decision.js";
import { show } from "./dispute.js";
import { el, visible } from "./dom.js";
import { openDialog, say, unsay } from "./notices.js";
import { Queue } from "./queue.js";
import { readyDialog } from "./ready.js";
import { openSummary, whyEnded } from "./respond.js";
import { ask } from "./server.js";

// Decisions that need nothing more, so that the next dispute is shown.
const COMPLETE = ["submit", "edit", "reject"];

const openingOf = ({ id, try_number }) => `${id}:${try_number}`;
const dueOf = (review) => review.disputes.map((dispute) => dispute.due).filter(Boolean).sort()[0] ?? "9";

/** The place; `go(place)` shows another one, `done()` is called after the reviews were read. */
export class Review {
  name = "Review";

  constructor({ go, done }) {
    Object.assign(this, { go, done, user: null, first: "" });
    /** What is shown: an item is a dispute of a review. */
    this.desk = { reviews: [], items: [], current: null, none: "", hold_reasons: [], left_out: 0, every_page: false };
    this.evidence = el("main", { tabindex: "-1", "aria-label": "Evidence" });
    this.evidence.addEventListener("page", ({ target, detail }) =>
      this.note((choices, dispute) => choices.see(dispute, target.closest("[data-sha256]").dataset.sha256, detail)));
    this.queue = new Queue(this.desk, (item) => this.select(item, true));
    this.decision = new Decision(this.desk, {
      decide: (action) => this.decide(action), change: (choice) => this.change(choice), move: (steps) => this.move(steps),
    });
    this.tray = el("div", { class: "tray", role: "region", "aria-label": "Answer" });
    this.board = el("div", { class: "desk" }, this.queue.element, this.evidence, this.decision.element, this.tray);
    this.nothing = el("main", { class: "empty", tabindex: "-1" },
      el("p", { class: "big" }, "Nothing to review"),
      el("p", {}, "Open reviews appear here as soon as disputes are staged. The sweep stages new and changed cases."),
      el("button", { type: "button", onclick: () => this.go("answered") }, "See what was answered"));
    this.element = el("div", { class: "fill" });
    // Another window of the same browser may have made a choice.
    addEventListener("storage", ({ key }) => this.reread(key));
  }

  get count() {
    return this.desk.items.length;
  }

  get search() {
    return this.queue.search;
  }

  enter() {
    const { desk } = this;
    this.element.replaceChildren(desk.items.length ? this.board : this.nothing);
    if (!desk.items.length) return;
    const uid = localStorage.getItem(`disputes-at:${this.user.id}`);
    const item = desk.items.includes(desk.current) ? desk.current : desk.items.find((each) => each.uid === uid);
    if (this.wanted || item !== desk.current || !item) this.select(this.wanted ?? item ?? desk.items[0], Boolean(this.wanted));
    this.wanted = null;
  }

  /** Finds a dispute, whose review may be newer than this page; it is selected once the place is shown. */
  async find(uid) {
    this.first = uid.split(":")[0];
    await this.refresh();
    this.wanted = this.desk.items.find((item) => item.uid === uid) ?? null;
    return this.wanted;
  }

  /** Returns whether the open reviews are those on the page. */
  async isCurrent() {
    const { openings } = await ask("openings");
    return this.user !== null && openings.map(openingOf).sort().join() === this.openings;
  }

  /** Reads the open reviews; what changed while the page was open is said, and choices are kept. */
  async refresh() {
    const found = await ask(`reviews?${new URLSearchParams({ first: this.first })}`);
    const { desk } = this;
    const names = (reviews) => reviews.map((review) => [openingOf(review), review.may_answer, ...review.disputes.map((each) => each.key)].join()).sort().join(";");
    const same = this.user && this.names === names(found.reviews);
    this.user ??= found.user;
    this.names = names(found.reviews);
    this.openings = found.openings.map(openingOf).sort().join();
    if (!same) await this.take(found);
    this.done();
  }

  async take(found) {
    const { desk } = this;
    const [before, uid] = [desk.reviews, desk.current?.uid];
    // A review that is still open stays the same object: the summary may be sending its answer.
    const known = new Map(before.map((review) => [openingOf(review), review]));
    Object.assign(desk, found, { reviews: found.reviews.map((review) => Object.assign(known.get(openingOf(review)) ?? {}, review)) });
    for (const review of desk.reviews) {
      review.user = this.user;
      review.choices ??= new Choices(this.user, review);
      review.on_desk = true;
    }
    for (const review of desk.reviews.filter((each) => !each.disputes.length))
      say("bad", `None of the disputes of ${review.dag_id} · ${review.run_id} can be verified. Open its Evidence tab.`);
    desk.reviews = desk.reviews.filter((review) => review.disputes.length);
    desk.reviews.sort((one, other) => dueOf(one).localeCompare(dueOf(other)));
    desk.items = desk.reviews.flatMap((review) => review.disputes.map((dispute) => ({ uid: `${review.id}:${dispute.key}`, dispute, review, choices: review.choices })));
    desk.current = desk.items.find((item) => item.uid === uid) ?? null;
    this.queue.fill();
    for (const review of before) await this.gone(review);
    for (const review of desk.reviews) this.offerEarlier(review);
    if (desk.left_out) say("attention", `${desk.left_out} more reviews appear here once these are answered.`, "left-out");
    else unsay("left-out");
    if (this.element.isConnected) this.enter();
    this.update();
  }

  /** Says why a review is no longer open, unless its answer was sent from here. */
  async gone(review) {
    if (review.sent || review.sending || this.desk.reviews.some((each) => openingOf(each) === openingOf(review))) return;
    const count = Object.keys(review.choices.choices).length;
    const kept = count ? ` Nothing was sent from here; your ${count === 1 ? "choice is" : `${count} choices are`} kept in this browser.` : "";
    const why = await whyEnded(review);
    if (!why) return;
    review.ended?.(why);
    say("attention", `${review.disputes.length === 1 ? review.disputes[0].dispute : `A review of ${review.disputes.length} disputes`}: ${why}${kept}`);
  }

  /** Offers the choices about an earlier opening of a review. */
  offerEarlier(review) {
    const earlier = review.choices.earlier(review.disputes);
    const [same, other] = [Object.keys(earlier.restorable).length, earlier.changed.length];
    if (!same && !other) return;
    const id = `earlier ${placeOf(review)}`;
    const parts = [
      same ? `You had decided ${same} of its disputes, whose evidence is unchanged.` : null,
      other ? `The evidence of ${earlier.changed.map((each) => each.dispute).join(", ")} has changed: decide again.` : null,
    ].filter(Boolean);
    const done = (act) => { act(); unsay(id); this.update(); };
    say("attention", `A review was opened again. ${parts.join(" ")}`, id,
      same ? el("button", { type: "button", onclick: () => done(() => review.choices.restore(earlier)) }, "Restore choices") : null,
      el("button", { type: "button", onclick: () => done(() => review.choices.dismiss(earlier)) }, "Dismiss"));
  }

  reread(name) {
    const review = this.desk.reviews.find((each) => each.choices.name === name);
    if (!review) return;
    review.choices.load();
    this.update();
  }

  select(item, focus) {
    const { desk, evidence } = this;
    desk.current = item;
    localStorage.setItem(`disputes-at:${this.user.id}`, item.uid);
    show(evidence, item.review, item.dispute, {
      refresh: () => this.select(item, false),
      loaded: ({ pieces }) => this.note((choices, dispute) =>
        choices.open(dispute, pieces.map((piece) => piece.document?.sha256).filter(Boolean))),
    });
    evidence.scrollTo(0, 0);
    this.board.classList.toggle("reading", focus);
    this.update();
    this.queue.reveal();
    if (focus) evidence.focus({ preventScroll: true });
  }

  /** Notes what was opened or on screen; *Submit* may have waited for it. */
  note(act) {
    const { choices, dispute } = this.desk.current;
    const before = choices.isRead(dispute);
    act(choices, dispute);
    if (!this.desk.every_page || before === choices.isRead(dispute)) return;
    this.showTray();
    // Whoever types a reason keeps the field.
    if (!this.decision.element.querySelector(".details").contains(document.activeElement)) this.decision.show();
  }

  update() {
    this.queue.update();
    this.decision.show();
    this.showTray();
  }

  move(steps) {
    const { desk, queue } = this;
    const listed = desk.items.filter((item) => item === desk.current || queue.isListed(item));
    const next = listed[listed.indexOf(desk.current) + steps];
    if (next) this.select(next, true);
  }

  /** Stores a decision and goes on to the next undecided dispute, unless the decision needs more. */
  decide(action) {
    const { desk } = this;
    const item = desk.current;
    if (!item?.review.may_answer || (action && !isOffered(desk, item, action))) return;
    item.choices.choose(item.dispute, action ? { action } : null);
    if (COMPLETE.includes(action)) {
      const place = desk.items.indexOf(item);
      const rest = [...desk.items.slice(place + 1), ...desk.items.slice(0, place)];
      const next = rest.find((each) => each.review.may_answer && !each.choices.of(each.dispute));
      if (next) return this.select(next, true);
    }
    this.update();
    this.decision.element.querySelector(".details input")?.focus();
  }

  change(choice) {
    this.desk.current.choices.choose(this.desk.current.dispute, choice);
    this.queue.update();
    this.showTray();
  }

  /** The disputes that can be decided, and those of them that are ready to submit. */
  undecided() {
    const open = this.desk.items.filter((item) => item.review.may_answer && !item.choices.of(item.dispute));
    return { open, ready: open.filter((item) => !this.doubts(item).length) };
  }

  /** Returns why a dispute is not simply ready to submit; empty if it is. */
  doubts({ dispute, choices }) {
    const unread = this.desk.every_page && !choices.isRead(dispute);
    return [...reservations(dispute), ...(unread ? ["not every page was on screen"] : [])];
  }

  showTray() {
    const { items } = this.desk;
    const decided = items.filter((item) => item.choices.isDecided(item.dispute)).length;
    const { ready } = this.undecided();
    this.tray.replaceChildren(...[
      el("button", { type: "button", class: "back", onclick: () => this.board.classList.remove("reading") }, "← List"),
      el("div", { class: "progress" },
        el("progress", { value: decided, max: items.length, "aria-label": "Decided disputes" }),
        el("span", {}, el("strong", {}, String(decided)), ` of ${items.length} decided`)),
      ready.length ? el("button", { type: "button", "aria-keyshortcuts": "a", onclick: () => this.submitReady() }, `Submit all ${ready.length} ready…`) : null,
      el("button", { type: "button", class: "primary", "aria-keyshortcuts": "Control+Enter", disabled: !decided, onclick: () => this.summary() }, "Respond…"),
    ].filter(Boolean));
  }

  /** Decides to submit what has no doubts, after naming what that leaves out. */
  submitReady() {
    const { open, ready } = this.undecided();
    if (!ready.length) return;
    const left = open.filter((item) => !ready.includes(item)).map((item) => ({ ...item, why: this.doubts(item) }));
    openDialog(readyDialog(ready, left), () => this.update());
  }

  async summary() {
    if (!this.desk.items.some((item) => item.choices.isDecided(item.dispute))) return;
    const result = await openSummary(this.desk, (review) => { review.sent = true; review.choices.forget(); });
    await this.refresh().catch((problem) => say("bad", problem.message, "session"));
    if (result === "answered") this.go("answered");
    else this.update();
  }

  /** Enter goes on from a decision's details. */
  entered(field) {
    if (!field.closest(".decision")) return false;
    this.move(1);
    return true;
  }

  key(key) {
    if (!this.desk.current) return false;
    const action = Object.keys(ACTIONS).find((each) => ACTIONS[each].key === key);
    const steps = { j: 1, k: -1 }[key];
    if (action) this.decide(action);
    else if (steps) this.move(steps);
    else if (key === "Backspace") this.decide(null);
    else if (key === "a") this.submitReady();
    else if (key === "respond") this.summary();
    else return false;
    return true;
  }
}
