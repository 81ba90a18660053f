// The decision about one dispute.

import { ACTIONS, isConfirmed } from "./choices.js";
import { el, visible } from "./dom.js";

/** Whether a decision about a dispute can be made. */
export function isOffered(desk, { dispute, review, choices }, action) {
  return Boolean(dispute.entries[action]) && review.may_answer && (action !== "submit" || !desk.every_page || choices.isRead(dispute));
}

/** The panel; it calls `decide(action)`, `change(choice)` and `move(steps)`. */
export class Decision {
  constructor(desk, { decide, change, move }) {
    Object.assign(this, { desk, decide, change, move });
    this.element = el("aside", { class: "decision", "aria-label": "Decision" });
  }

  show() {
    const { desk } = this;
    const item = desk.current;
    if (!item) return this.element.replaceChildren();
    const { dispute, review, choices } = item;
    const choice = choices.of(dispute);
    const place = desk.items.indexOf(item) + 1;
    this.element.replaceChildren(
      el("header", {}, el("h2", {}, "Decision"), el("span", { class: "quiet" }, `${place} of ${desk.items.length}`)),
      el("div", { class: "actions", role: "group", "aria-label": `Decision about ${dispute.dispute}` },
        Object.entries(ACTIONS).map(([action, facts]) => this.button(action, facts, item, choice))),
      el("div", { class: "details" }, this.details(item, choice) ?? []),
      el("div", { class: "steps" },
        el("button", { type: "button", onclick: () => this.move(-1), disabled: place === 1 }, "Previous", el("kbd", {}, "K")),
        el("button", { type: "button", onclick: () => this.move(1), disabled: place === desk.items.length }, "Next", el("kbd", {}, "J"))));
  }

  button(action, { key, label, hint }, item, choice) {
    const offered = isOffered(this.desk, item, action);
    const chosen = choice?.action === action;
    return el("button", {
      type: "button", class: `action ${action}`, title: hint, "aria-pressed": String(chosen), "aria-keyshortcuts": key,
      disabled: !offered, onclick: () => this.decide(chosen ? null : action),
    }, el("span", {}, label), el("kbd", {}, key.toUpperCase()));
  }

  details({ dispute, review, choices }, choice) {
    if (!dispute.entries.submit) return el("p", { class: "problem" }, "This evidence has changed since the review was opened, so it cannot be submitted.");
    if (choice?.action === "hold") return this.hold(choice);
    if (choice?.action === "concede") return this.concede(dispute, choice);
    if (choice) return el("p", { class: "quiet" }, ACTIONS[choice.action].hint);
    if (review.may_answer && this.desk.every_page && !choices.isRead(dispute))
      return el("p", { class: "quiet" }, "Look at every page of the documents to submit.");
    if (dispute.inquiry) return el("p", { class: "quiet" }, "An inquiry cannot be conceded.");
    return null;
  }

  hold(choice) {
    const reason = choice.reason ?? this.desk.hold_reasons[0];
    const radios = this.desk.hold_reasons.map((each) => el("label", {},
      el("input", { type: "radio", name: "hold-reason", checked: each === reason, onchange: () => this.change({ ...this.current(), reason: each }) }), each));
    return [
      el("fieldset", {}, el("legend", {}, "Reason"), radios),
      el("label", { class: "field" }, "Assignee",
        el("input", { type: "text", maxlength: 100, value: choice.assignee ?? "", placeholder: "Reminders name them", autocomplete: "off",
          oninput: ({ target }) => this.change({ ...this.current(), reason: this.current().reason ?? reason, assignee: target.value.trim() }) })),
    ];
  }

  concede(dispute, choice) {
    const state = el("p", { class: "quiet", role: "status" });
    const tell = (given) => { state.textContent = isConfirmed(dispute, given) ? "Confirmed." : "Not decided until the ID matches."; };
    tell(choice);
    return [
      el("p", { class: "problem bad" }, el("strong", {}, `Give up ${dispute.money} permanently.`), " This cannot be undone."),
      el("label", { class: "field" }, el("span", {}, "Type ", el("code", {}, visible(dispute.dispute)), " to confirm"),
        el("input", { type: "text", value: choice.confirm ?? "", autocomplete: "off", spellcheck: "false",
          oninput: ({ target }) => { const given = { ...this.current(), confirm: target.value }; tell(given); this.change(given); } })),
      state,
    ];
  }

  current() {
    return this.desk.current.choices.of(this.desk.current.dispute) ?? {};
  }
}
