// After the answer: each dispute's way to its end.

import { capital, el, moment, renew, visible } from "./dom.js";
import { chip, progressOf, ways } from "./progress.js";
import { ask } from "./server.js";
import { airflowPath, openAirflow } from "./theme.js";

const REFRESH = 3000;

/** The place *Answered*; `done()` is called after it was read. */
export class Answered {
  name = "Answered";

  constructor({ say, done }) {
    Object.assign(this, { say, done });
    this.cards = new Map();
    this.list = el("div", { class: "runs" });
    this.element = el("main", { class: "answered", tabindex: "-1" }, el("h2", { class: "title" }, "Answered in the last three days"), this.list);
  }

  /** Follows the runs for as long as the place is shown. */
  async enter() {
    if (this.following) return;
    this.following = true;
    while (this.element.isConnected) {
      if (!document.hidden) await this.refresh().catch((problem) => this.say("bad", problem.message, "session"));
      await new Promise((resume) => setTimeout(resume, REFRESH));
    }
    this.following = false;
  }

  /** Reads the reviews, and the ways of those whose runs have not ended. */
  async refresh() {
    const { reviews } = await ask("answered");
    this.done();
    if (!reviews.length) {
      this.list.replaceChildren(el("p", { class: "message" }, "No reviews were answered in the last three days."));
      return;
    }
    const shown = await Promise.all(reviews.map((review) => this.card(review)));
    // What has not changed stays in place: it may be selected, or have the keyboard's focus.
    if (shown.some((element, index) => element !== this.list.children[index]) || shown.length !== this.list.childElementCount)
      renew(this.list, ...shown);
  }

  async card(review) {
    const name = `${review.dag_id}/${review.run_id}/${review.at}`;
    const known = this.cards.get(name);
    if (known?.over) return known.element;
    let progress;
    try {
      progress = await progressOf(review);
    } catch (problem) {
      progress = { problem: problem.message, over: false };
    }
    const text = JSON.stringify(progress);
    if (known?.text === text) return known.element;
    const element = progress.problem ? el("section", { class: "run" }, el("p", { class: "problem" }, visible(progress.problem))) : cardOf(review, progress);
    this.cards.set(name, { element, text, over: progress.over });
    return element;
  }
}

function cardOf(review, { disputes, tasks, over }) {
  const path = `dags/${encodeURIComponent(review.dag_id)}/runs/${encodeURIComponent(review.run_id)}`;
  const counts = new Map();
  for (const { state } of disputes) counts.set(state, (counts.get(state) ?? 0) + 1);
  const failed = Object.entries(tasks).filter(([, state]) => state === "failed").map(([task]) => task);
  return el("section", { class: "run" },
    el("header", {},
      el("div", {},
        el("h3", {}, disputes.length === 1 ? capital(disputes[0].money) : `${disputes.length} disputes`),
        el("p", { class: "quiet" }, "Answered ", moment(review.at), review.by ? ` by ${review.by}` : "")),
      el("div", { class: "tally" },
        [...counts].map(([state, count]) => chip(state, count)),
        over ? null : el("span", { class: "chip live" }, "In progress"),
        el("a", { href: airflowPath(path), onclick: (event) => openAirflow(event, path) }, "Open run"))),
    failed.length ? el("p", { class: "problem" }, `Failed: ${failed.join(", ")}. Open the run for its log.`) : null,
    ways(review, disputes));
}
