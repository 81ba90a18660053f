// The inbox: every open dispute of the swept connections, in its latest state.

import { caseForm } from "./case.js";
import { VERDICTS } from "./dispute.js";
import { capital, el, moment, readable, renew, timeLeft, visible } from "./dom.js";
import { unsay } from "./notices.js";
import { ask, trigger } from "./server.js";
import { airflowPath, isOutside, openAirflow, openOutside } from "./theme.js";

const TONES = { "no-case": "bad", staging: "", "to-review": "", held: "attention", "not-sent": "attention", sent: "good", rejected: "attention", attention: "bad" };
const SORTS = { due: "Due date", amount: "Amount" };
const TYPING = 250;
const STALE = 36 * 3600_000;

/** The place *Inbox*; `review(key)` opens a dispute's review. */
export class Inbox {
  name = "Inbox";

  constructor({ review, say }) {
    Object.assign(this, { review, say, group: "", sort: "due", offset: 0 });
    this.search = el("input", { type: "search", placeholder: "Search ID, amount, reason or connection", "aria-label": "Search open disputes", oninput: () => this.typed() });
    this.order = el("select", { "aria-label": "Sort by", onchange: ({ target }) => this.set({ sort: target.value }) },
      Object.entries(SORTS).map(([value, text]) => el("option", { value }, text)));
    this.groups = el("div", { class: "groups", role: "group", "aria-label": "State" });
    this.head = el("div", { class: "head" });
    this.body = el("div", { class: "body" });
    this.list = el("main", { class: "inbox", tabindex: "-1" }, this.head,
      el("div", { class: "bar" }, this.groups, el("div", { class: "find" }, this.search, this.order)), this.body);
    this.element = el("div", { class: "fill" }, this.list);
  }

  enter() {
    this.load();
  }

  refresh() {
    return this.load();
  }

  typed() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.set({}), TYPING);
  }

  set(changes) {
    Object.assign(this, { offset: 0 }, changes);
    this.load();
  }

  async load() {
    const query = new URLSearchParams({ group: this.group, text: this.search.value.slice(0, 100), sort: this.sort, offset: this.offset });
    const asked = (this.asked = {});
    let found;
    try {
      found = await ask(`inbox?${query}`);
    } catch (problem) {
      return this.say("bad", problem.message, "session");
    }
    // A later request has overtaken this one, or nothing has changed.
    const text = JSON.stringify([found, this.group, this.search.value]);
    if (asked !== this.asked || text === this.shown) return;
    this.shown = text;
    this.show(found);
  }

  show(found) {
    if (!found.sweeping.length) unsay("sweep");
    renew(this.head, ...this.summary(found));
    renew(this.groups,
      this.tab("", "All", found.all),
      ...found.groups.filter(({ name, count }) => count || name === this.group).map(({ name, label, count }) => this.tab(name, label, count)));
    if (!found.disputes.length) return renew(this.body, empty(found, this.group || this.search.value));
    renew(this.body,
      el("table", {},
        el("thead", {}, el("tr", {}, ["Due", "Amount", "Reason", "State", "Dispute", ""].map((text) => el("th", { scope: "col" }, text || el("span", { class: "unseen" }, "Action"))))),
        el("tbody", {}, found.disputes.map((dispute) => this.row(dispute)))),
      this.pages(found));
  }

  summary({ totals, total, urgent, sweeps, sweeping }) {
    const oldest = sweeps[0];
    const dags = [...new Set(sweeps.map((sweep) => sweep.dag_id))];
    const stale = oldest && Date.now() - new Date(oldest.at) > STALE;
    return [
      el("div", {}, el("p", { class: "quiet" }, total === 1 ? "1 dispute" : `${total.toLocaleString("en")} disputes`,
        urgent ? [" · ", el("strong", { class: "urgent" }, `${urgent} due within 24 hours`)] : null),
        el("p", { class: "sums" }, totals.length ? totals.map((sum) => el("span", {}, sum)) : "–")),
      el("div", { class: "age" },
        el("p", { class: stale ? "problem" : "quiet" }, oldest ? ["Open disputes as of ", moment(oldest.at)] : "No sweep has listed open disputes yet. Only disputes in review are shown."),
        dags.map((dag) => el("button", { type: "button", disabled: sweeping.includes(dag), onclick: ({ target }) => this.sweep(dag, target) },
          sweeping.includes(dag) ? "Sweeping…" : "Sweep now", dags.length > 1 ? `: ${dag}` : null))),
    ];
  }

  async sweep(dag, button) {
    button.disabled = true;
    const { status, reason } = await trigger(dag).catch((problem) => ({ status: 0, reason: problem.message }));
    if (status === 200) this.say("", "The sweep has started. Its disputes appear here once it has listed them.", "sweep");
    else this.say("bad", status === 403 ? "You don't have permission to start a sweep." : `The sweep was not started: ${reason}`);
    button.disabled = false;
    this.load();
  }

  tab(name, label, count) {
    return el("button", { type: "button", "aria-pressed": String(name === this.group), onclick: () => this.set({ group: name }) },
      `${label} `, el("span", { class: "count" }, String(count)));
  }

  row(dispute) {
    const [tone, verdict] = VERDICTS[dispute.verdict] ?? [];
    const facts = [dispute.stage === "Chargeback" ? null : dispute.stage, dispute.network_code && dispute.network_code !== dispute.dispute_reason ? `code ${dispute.network_code}` : null].filter(Boolean).join(" · ");
    return el("tr", {},
      el("td", { class: "due" }, dispute.due ? [timeLeft(dispute.due), el("span", { class: "quiet" }, moment(dispute.due))] : el("span", { class: "quiet" }, "No due date")),
      el("td", { class: "money" }, capital(dispute.money)),
      el("td", { class: "what" }, visible(dispute.dispute_reason ?? "–"), facts ? el("span", { class: "quiet" }, visible(facts)) : null),
      el("td", { class: "state" }, el("span", { class: `chip ${TONES[dispute.group]}` }, dispute.state),
        verdict ? el("span", { class: `chip verdict ${tone}` }, verdict) : null,
        dispute.reason === null ? null : el("span", { class: "quiet why", title: dispute.reason }, readable(dispute.reason))),
      el("td", { class: "id" },
        isOutside(dispute.url) ? el("a", { href: dispute.url, rel: "noopener noreferrer", onclick: (event) => openOutside(event, dispute.url) }, visible(dispute.dispute)) : visible(dispute.dispute),
        el("span", { class: "quiet" }, visible(`${dispute.api} · ${dispute.connection}`))),
      el("td", { class: "act" }, this.action(dispute)));
  }

  action(dispute) {
    if (dispute.review) return el("button", { type: "button", "aria-label": `Review ${dispute.dispute}`, onclick: () => this.review(dispute.review) }, "Review");
    if (dispute.case_dag) return el("button", { type: "button", "aria-label": `Make a case for ${dispute.dispute}`, onclick: () => this.make(dispute) }, "Make a case");
    if (!dispute.run) return null;
    const path = `dags/${dispute.run.map(encodeURIComponent).join("/runs/")}`;
    return el("a", { href: airflowPath(path), onclick: (event) => openAirflow(event, path) }, "Open run");
  }

  /** Shows the form of a case instead of the list. */
  async make(dispute) {
    const back = () => { this.element.replaceChildren(this.list); this.list.focus(); this.load(); };
    try {
      const form = await caseForm(dispute, { back, opened: (id) => this.opened(id, back) });
      this.element.replaceChildren(form.element);
      form.element.querySelector("h2").focus();
    } catch (problem) {
      this.say("bad", problem.message);
    }
  }

  /** Opens the review of a dispute that was just staged, unless another place is shown by now. */
  async opened(id, back) {
    const { disputes } = await ask(`inbox?${new URLSearchParams({ text: id })}`);
    const review = disputes.find(({ dispute }) => dispute === id)?.review;
    const here = this.element.isConnected;
    back();
    if (here && review) this.review(review);
    else this.say("", `${id} is staged, and waits for review.`);
  }

  pages({ total, page }) {
    if (total <= page) return el("p", { class: "pager quiet" }, `${total} of ${total}`);
    const last = Math.min(this.offset + page, total);
    const step = (offset, text) => el("button", { type: "button", disabled: offset < 0 || offset >= total, onclick: () => this.set({ offset }) }, text);
    return el("div", { class: "pager" }, el("span", { class: "quiet" }, `${this.offset + 1}–${last} of ${total.toLocaleString("en")}`),
      step(this.offset - page, "Previous"), step(this.offset + page, "Next"));
  }
}

function empty({ sweeps }, filtered) {
  const [title, text] = filtered ? ["No dispute matches", "Change the search or the state."]
    : sweeps.length ? ["No open disputes", "The last sweep found nothing that can still be answered."]
    : ["No sweep yet", "The sweep lists the open disputes of [dispute] connections. Unpause dispute_sweep, or trigger it."];
  return el("div", { class: "empty" }, el("p", { class: "big" }, title), el("p", {}, text));
}
