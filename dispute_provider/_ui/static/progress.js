// How the disputes of a run went on: each one's way from staged to its end.

import { capital, clock, el, readable, visible } from "./dom.js";
import { addressOf, ask } from "./server.js";

const STATES = {
  staged: ["", "Staged"], approved: ["good", "Approved"], submitted: ["good", "Submitted"], conceded: ["", "Conceded"],
  held: ["attention", "Held"], rejected: ["attention", "Rejected"], refused: ["bad", "Refused"], unknown: ["bad", "Needs a person"],
  "already-submitted": ["attention", "Already submitted"], "submitted-differs": ["bad", "Submitted, differs"],
};
const OVER = ["success", "failed", "skipped", "upstream_failed", "removed"];
// Ends after which the bank decides, and those that have a receipt.
const SENT = ["submitted", "submitted-differs", "already-submitted"];
const RECEIPTS = ["submitted", "submitted-differs", "conceded", "unknown"];
const DECISIONS = { Won: "good", Lost: "bad" };

/** Reads a run's progress; it is over once all tasks have ended. */
export async function progressOf({ dag_id, run_id }) {
  const progress = await ask(`dags/${encodeURIComponent(dag_id)}/runs/${encodeURIComponent(run_id)}/progress`);
  return { ...progress, over: Object.values(progress.tasks).every((state) => OVER.includes(state)) };
}

/** Returns the ways of a run's disputes. */
export function ways(run, disputes) {
  return el("ol", { class: "ways" }, disputes.map((dispute) => way(run, dispute)));
}

export function chip(state, count) {
  const [tone, text] = STATES[state] ?? ["", state];
  return el("span", { class: `chip ${tone}` }, count > 1 ? `${text} ${count}` : text);
}

function way(run, dispute) {
  return el("li", {},
    el("div", { class: "who" }, el("strong", {}, capital(dispute.money)), el("code", {}, visible(dispute.dispute))),
    el("ol", { class: "way", "aria-label": "States" }, dispute.steps.map((step) =>
      el("li", { title: step.reason }, chip(step.state, 1), step.at ? el("span", { class: "quiet" }, clock(step.at)) : null))),
    dispute.reason === dispute.state ? null : el("p", { class: "why" }, readable(dispute.reason)),
    RECEIPTS.includes(dispute.state) && dispute.request_id ? el("p", { class: "receipt" }, "Receipt ", el("code", {}, visible(dispute.request_id)),
      " · evidence ", el("code", { title: dispute.digest ?? "" }, (dispute.digest ?? "none").slice(0, 12))) : null,
    SENT.includes(dispute.state) ? decision(run, dispute) : null);
}

/** Returns a button that reads how the bank has decided, as opening the dispute does. */
function decision(run, dispute) {
  const shown = el("p", { class: "bank" });
  const button = el("button", { type: "button", class: "small", "aria-label": `Bank's decision on ${dispute.dispute}`, onclick: async () => {
    button.disabled = true;
    const { task, map_index } = dispute.steps.at(-1);
    const address = addressOf({ ...run, task_id: task, map_index });
    const status = await ask(`${address}/disputes/${encodeURIComponent(dispute.key)}`).then((now) => now.status, ({ message }) => message);
    shown.replaceChildren(el("span", { class: `chip ${DECISIONS[status] ?? ""}` }, visible(status)));
  } }, "Bank's decision");
  shown.append(button);
  return shown;
}
