// One dispute of a task: its facts, its assessment, and the evidence that it holds now.

import { capital, el, moment, readable, timeLeft, visible } from "./dom.js";
import { documentOf, evidence } from "./pieces.js";
import { addressOf, ask, Refused } from "./server.js";

export const VERDICTS = {
  ready: ["good", "Ready", "The case has all recommended evidence for this reason."],
  weak: ["attention", "Weak", "More evidence would strengthen this case."],
  missing: ["bad", "Incomplete", "The case has none of the recommended evidence for this reason."],
  unknown: ["", "Not assessed", "There are no recommendations for this reason."],
};
const MATCHES = { exact: "good", sent: "good", changed: "bad", over: "attention", nothing: "" };
const MARKS = { good: "✓", bad: "!", attention: "!", "": "i" };
const STATES = {
  staged: ["", "Staged"], approved: ["good", "Approved"], submitted: ["good", "Submitted"],
  conceded: ["", "Conceded"], held: ["attention", "Held"], rejected: ["attention", "Rejected"],
  "already-submitted": ["attention", "Already submitted"], "submitted-differs": ["bad", "Submitted, differs"],
  refused: ["bad", "Refused"], unknown: ["bad", "Unknown"],
};
const KINDS = {
  renewed: "Updated from an earlier version of the case", removed: "Removed; it was from an earlier version of the case",
  kept: "Existing evidence kept; the case differs", overwritten: "Existing evidence overwritten",
  foreign: "Existing evidence, not from the case", conflict: "Conflict: nothing was written",
};

/** Returns a dispute's state as a chip. */
function stateChip(dispute) {
  const [tone, text] = STATES[dispute.state] ?? ["", dispute.state];
  return el("span", { class: `chip ${tone}` }, text);
}

/** Returns what tells a dispute from the others of its task: its verdict until it is decided, then its state. */
export function markOf(dispute) {
  const [tone, text] = (dispute.state === "staged" && VERDICTS[dispute.verdict]) || [];
  return text ? el("span", { class: `chip ${tone}` }, text) : stateChip(dispute);
}

/**
 * Shows a dispute, and then what it holds now.
 *
 * @param below elements below the dispute.
 * @param loaded is called with what the dispute holds now, once it was read.
 */
export function show(main, task, dispute, { refresh, below = null, loaded = () => {} }) {
  const banner = el("section", { class: "banner", role: "status" }, el("p", {}, "Loading the dispute…"));
  const pieces = el("div", { class: "pieces" });
  const facts = el("dl", { class: "facts-grid" });
  const lastRead = el("p", { class: "quiet" });
  main.replaceChildren(
    ...[
      heading(dispute),
      deadline(task, dispute),
      banner,
      inquiry(dispute),
      assessment(dispute),
      el("section", {}, el("h2", {}, "Evidence", dispute.usage ? el("span", { class: "quiet" }, dispute.usage) : null), pieces),
      differences(dispute),
      el("section", {}, el("h2", {}, "Dispute details"), facts),
      el("footer", {},
        el("p", {}, "Evidence digest of this task ", el("code", { class: "digest" }, dispute.digest ?? "none")),
        lastRead,
        below),
    ].filter(Boolean));
  fill(facts, details(task, dispute, {}));
  load(task, dispute, { banner, pieces, facts, lastRead, refresh, loaded });
}

/** Shows what the dispute holds now, unless another dispute has been selected. */
async function load(task, dispute, { banner, pieces, facts, lastRead, refresh, loaded }) {
  const address = addressOf(task);
  try {
    const now = await ask(`${address}/disputes/${encodeURIComponent(dispute.key)}`);
    if (!banner.isConnected) return;
    fillBanner(banner, MATCHES[now.match] ?? "bad", now.headline, now.facts);
    pieces.replaceChildren(...[evidence(now.pieces, address)].flat(Infinity).filter(Boolean));
    fill(facts, details(task, dispute, now));
    lastRead.append("Last updated ", moment(now.read_at), " ");
    loaded(now);
  } catch (problem) {
    if (!banner.isConnected) return;
    showError(banner, pieces, dispute, problem, address);
  }
  lastRead.append(el("button", { type: "button", onclick: refresh }, "Refresh"));
}

function heading(dispute) {
  const code = dispute.network_code === dispute.dispute_reason ? null : dispute.network_code;
  const facts = [dispute.dispute_reason, code ? `code ${code}` : null, dispute.stage];
  return el("header", { class: "hero" },
    el("h1", {}, capital(dispute.money), dispute.state === "staged" ? null : stateChip(dispute)),
    el("p", {}, visible(facts.filter(Boolean).join(" · ")), " ", el("code", {}, visible(dispute.dispute))));
}

function deadline(task, dispute) {
  const waits = task.answer_by && dispute.state === "staged";
  return el("section", { class: "deadline" },
    el("p", {}, el("span", { class: "label" }, "Due by"), dispute.due ? moment(dispute.due) : "No due date", dispute.due ? timeLeft(dispute.due) : null),
    waits
      ? el("p", {}, el("span", { class: "label" }, "Answer by"), moment(task.answer_by), timeLeft(task.answer_by),
          task.on_desk ? null : el("span", { class: "quiet" }, "Respond under Disputes or Required Actions."))
      : null);
}

function fillBanner(banner, tone, headline, facts = []) {
  banner.className = `banner ${tone}`;
  banner.replaceChildren(
    el("span", { class: "mark", "aria-hidden": "true" }, MARKS[tone]),
    el("div", {}, el("p", {}, el("strong", {}, readable(headline))), facts.map((fact) => el("p", {}, readable(fact)))));
}

/** Shows why the dispute cannot be read, and the stored documents. Texts are not stored. */
function showError(banner, pieces, dispute, problem, address) {
  fillBanner(banner, "attention", "The dispute could not be read.", [
    problem.message,
    ...(problem instanceof Refused ? [] : [
      "The documents below are the reviewed ones. See the review form under Required Actions for the texts.",
    ]),
  ]);
  const shown = problem instanceof Refused ? [] : dispute.documents;
  pieces.replaceChildren(...shown.map(({ label, sha256 }) =>
    documentOf({ label: label ?? "Document", document: { sha256 } }, address)));
}

function inquiry(dispute) {
  if (!dispute.inquiry) return null;
  return el("section", { class: "banner attention" },
    el("span", { class: "mark", "aria-hidden": "true" }, "!"),
    el("div", {}, el("p", {}, el("strong", {}, "This is an inquiry. Answer it early.")),
      el("p", {}, "It can become a chargeback before its due date. Conceding does not settle an inquiry.")));
}

function assessment(dispute) {
  const [tone, verdict, why] = VERDICTS[dispute.verdict] ?? [];
  const items = [
    ...dispute.warnings.map((text) => el("li", { class: "warning" }, el("strong", {}, readable(text)))),
    ...dispute.notes.map((text) => el("li", {}, readable(text))),
    ...dispute.missing.map(({ label, why }) =>
      el("li", { class: "missing" }, label ? el("strong", {}, visible(label)) : null, label ? " " : null, visible(why))),
  ];
  if (!verdict && !items.length && !dispute.approval && dispute.state === "staged") return null;
  return el("section", { class: "assessment" },
    verdict ? el("p", {}, el("span", { class: `chip ${tone}` }, verdict), ` ${why}`) : null,
    items.length ? el("ul", {}, items) : null,
    dispute.state === "staged" ? null : el("p", {}, stateChip(dispute), " ", readable(dispute.reason)),
    dispute.approval
      ? el("p", { class: "quiet" }, visible(`Response: ${dispute.approval.action}, by ${dispute.approval.responder}, `), moment(dispute.approval.responded_at))
      : null);
}

function differences(dispute) {
  const changes = dispute.differences.filter((each) => each.kind !== "added" && each.kind !== "same");
  if (!changes.length) return null;
  return el("section", {}, el("h2", {}, "Changes made by staging"),
    el("table", {},
      el("thead", {}, el("tr", {}, ["Evidence", "Change", "Case", "Dispute before"].map((text) => el("th", { scope: "col" }, text)))),
      el("tbody", {}, changes.map((each) => el("tr", {},
        el("th", { scope: "row" }, visible(each.label)),
        el("td", {}, KINDS[each.kind] ?? visible(each.kind)),
        el("td", {}, el("code", {}, each.case ?? "–")),
        el("td", {}, el("code", {}, each.held ?? "–")))))));
}

function details(task, dispute, now) {
  const contacted = { true: "Yes", false: "No" }[dispute.customer_contacted] ?? "Not specified";
  return {
    "Disputed amount": capital(dispute.money),
    "Charged": dispute.charged,
    "Refunded": dispute.refunded,
    "Network": now.network,
    "Merchant": now.merchant ?? dispute.account,
    "Mode": { true: "Live", false: "Test" }[now.live],
    "Status": now.status,
    "Previous submissions": dispute.submissions,
    "Prepared by": dispute.prepared_by ?? "Not specified",
    "Customer contacted": contacted,
    "Connection": dispute.connection,
    "Task": `${task.dag_id} · ${task.task_id}${task.map_index < 0 ? "" : ` [${task.map_index}]`}`,
  };
}

function fill(list, facts) {
  const rows = Object.entries(facts).filter(([, value]) => value !== null && value !== undefined);
  list.replaceChildren(...rows.map(([label, value]) => el("div", {}, el("dt", {}, label), el("dd", {}, visible(value)))));
}

