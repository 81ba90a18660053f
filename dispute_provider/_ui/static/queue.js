// The list of the disputes to decide, review by review.

import { ACTIONS, countAndTotals } from "./choices.js";
import { VERDICTS } from "./dispute.js";
import { capital, el, moment, timeLeft, visible } from "./dom.js";

const FILTERS = { all: "All", open: "To decide", decided: "Decided" };

/** The list; it calls `select` with the place of a dispute in it. */
export class Queue {
  constructor(desk, select) {
    this.desk = desk;
    this.select = select;
    this.filter = "all";
    this.rows = new Map();
    this.list = el("div", { class: "rows" });
    this.search = el("input", { type: "search", placeholder: "Search amount, reason or ID", "aria-label": "Search disputes", oninput: () => this.narrow() });
    this.filters = Object.fromEntries(Object.entries(FILTERS).map(([name, text]) => [name,
      el("button", { type: "button", onclick: () => this.show(name) }, `${text} `, el("span", { class: "count" }))]));
    this.element = el("aside", { class: "queue", "aria-label": "Disputes to decide" },
      el("div", { class: "tools" }, this.search,
        el("div", { class: "segments", role: "group", "aria-label": "Filter" }, Object.values(this.filters))),
      this.list);
  }

  show(filter) {
    this.filter = filter;
    this.narrow();
  }

  /** Lists the disputes of all reviews. */
  fill() {
    this.rows.clear();
    this.list.replaceChildren(...this.desk.reviews.map((review) => this.section(review)));
    this.update();
  }

  section(review) {
    const first = review.disputes.map((dispute) => dispute.due).filter(Boolean).sort()[0];
    const items = this.desk.items.filter((item) => item.review === review);
    return el("section", { class: "review" },
      el("header", {},
        el("h2", {}, first ? ["Due ", moment(first)] : "No due date"),
        el("p", {}, countAndTotals(review.disputes)),
        review.may_answer ? null : el("p", { class: "problem" }, "Only its assigned users can respond."),
        review.unverified.map(({ dispute, reason }) => el("p", { class: "problem" }, visible(`${dispute}: ${reason}`)))),
      el("ol", {}, items.map((item) => this.row(item))));
  }

  row(item) {
    const { dispute } = item;
    const mark = el("span", { class: "chip" });
    const facts = [dispute.dispute_reason, dispute.inquiry ? "Inquiry" : null].filter(Boolean).join(" · ");
    const link = el("a", { href: `#${item.uid}`, onclick: (event) => { event.preventDefault(); this.select(item); } },
      el("strong", {}, capital(dispute.money)), mark,
      el("span", { class: "why" }, visible(facts)),
      dispute.due ? timeLeft(dispute.due) : null,
      el("code", {}, visible(dispute.dispute)));
    const row = el("li", {}, link);
    this.rows.set(item.uid, { row, link, mark, text: `${dispute.money} ${facts} ${dispute.dispute} ${dispute.api}`.toLowerCase() });
    return row;
  }

  /** Shows what is decided and what is selected. */
  update() {
    const { desk } = this;
    for (const item of desk.items) {
      const { row, link, mark } = this.rows.get(item.uid);
      const decided = item.choices.isDecided(item.dispute);
      const choice = item.choices.of(item.dispute);
      row.classList.toggle("decided", decided);
      link.setAttribute("aria-current", String(item === desk.current));
      const [tone, text] = choice
        ? [ACTIONS[choice.action].tone, decided ? ACTIONS[choice.action].done : `${ACTIONS[choice.action].done}: confirm`]
        : VERDICTS[item.dispute.verdict] ?? ["", "Not assessed"];
      mark.className = choice ? `chip ${tone}` : `chip verdict ${tone}`;
      mark.textContent = decided ? `${text} ✓` : text;
    }
    const decided = desk.items.filter((item) => item.choices.isDecided(item.dispute)).length;
    const counts = { all: desk.items.length, open: desk.items.length - decided, decided };
    for (const [name, button] of Object.entries(this.filters)) button.querySelector(".count").textContent = counts[name];
    this.narrow();
  }

  narrow() {
    const words = this.search.value.toLowerCase().trim();
    for (const [name, button] of Object.entries(this.filters)) button.setAttribute("aria-pressed", String(name === this.filter));
    for (const item of this.desk.items) {
      const { row, text } = this.rows.get(item.uid);
      const decided = item.choices.isDecided(item.dispute);
      row.hidden = !text.includes(words)
        || (this.filter === "open" && decided && item !== this.desk.current)
        || (this.filter === "decided" && !decided);
    }
    for (const section of this.list.children) section.hidden = [...section.querySelectorAll("li")].every((row) => row.hidden);
  }

  /** Returns whether the filter and the search leave a dispute in the list. */
  isListed(item) {
    return !this.rows.get(item.uid).row.hidden;
  }

  /** Scrolls to the selected dispute. */
  reveal() {
    this.rows.get(this.desk.current?.uid)?.row.scrollIntoView({ block: "nearest" });
  }
}
