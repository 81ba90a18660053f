// The Evidence tab of a task: its disputes on the left, the selected dispute with its evidence on the right.

import { el, moment, timeLeft, visible } from "./dom.js";
import { documentOf, evidence } from "./pieces.js";

const app = document.getElementById("app");
const query = new URLSearchParams(location.search);
// Airflow does not replace the placeholder of a task that is not mapped.
const mapIndex = /^\d+$/.test(query.get("map_index") ?? "") ? query.get("map_index") : "-1";
const [dag, run, name] = ["dag_id", "run_id", "task_id"].map((key) => encodeURIComponent(query.get(key) ?? ""));
const address = `dags/${dag}/runs/${run}/tasks/${name}/${mapIndex}`;

const VERDICTS = {
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

class Refused extends Error {}

async function ask(path) {
  const answer = await fetch(path);
  const content = await answer.json().catch(() => ({}));
  if (answer.ok) return content;
  if (answer.status === 401) throw new Refused("Your session has expired. Log in to Airflow and reload this page.");
  if (answer.status === 403)
    throw new Refused("You don't have permission to see this evidence. Only users who can respond to the review can see it.");
  throw new Error(typeof content.detail === "string" ? content.detail : `Airflow returned status ${answer.status}.`);
}

function message(text) {
  app.replaceChildren(el("p", { class: "message", role: "status" }, visible(text)));
}

let choose = () => {};
addEventListener("hashchange", () => choose(true));

async function start() {
  let task;
  try {
    task = await ask(address);
  } catch (problem) {
    return message(problem.message);
  }
  if (!task.disputes.length) return message("This task has no dispute evidence.");
  const main = el("main", { tabindex: "-1" });
  const list = task.disputes.length > 1 ? sidebar(task) : null;
  app.className = list ? "with-list" : "";
  app.replaceChildren(...[list, main].filter(Boolean));
  choose = (focus) => {
    const key = location.hash.slice(1);
    const dispute = task.disputes.find((each) => each.key === key) ?? task.disputes[0];
    for (const link of list?.querySelectorAll("a") ?? [])
      link.setAttribute("aria-current", String(link.hash === `#${dispute.key}`));
    show(main, task, dispute);
    if (focus) main.focus();
    scrollTo(0, 0);
  };
  choose(false);
}

function sidebar(task) {
  return el("nav", { "aria-label": "Disputes in this task" },
    el("h2", {}, `${task.disputes.length} disputes`),
    el("ol", {}, task.disputes.map((dispute) =>
      el("li", {}, el("a", { href: `#${dispute.key}` },
        el("strong", {}, dispute.money),
        stateChip(dispute),
        el("span", { class: "quiet" }, visible(dispute.dispute_reason ?? "")),
        el("code", {}, visible(dispute.dispute)),
        dispute.due ? timeLeft(dispute.due) : null)))));
}

function stateChip(dispute) {
  const [tone, text] = STATES[dispute.state] ?? ["", dispute.state];
  return el("span", { class: `chip ${tone}` }, text);
}

function show(main, task, dispute) {
  const banner = el("section", { class: "banner", role: "status" }, el("p", {}, "Loading the dispute…"));
  const pieces = el("div", { class: "pieces" });
  const facts = el("dl", { class: "facts-grid" });
  const lastRead = el("p", { class: "quiet" });
  main.replaceChildren(
    ...[
      heading(dispute),
      deadline(task, dispute),
      banner,
      assessment(dispute),
      el("section", {}, el("h2", {}, "Evidence", dispute.usage ? el("span", { class: "quiet" }, dispute.usage) : null), pieces),
      differences(dispute),
      el("section", {}, el("h2", {}, "Dispute details"), facts),
      el("footer", {},
        el("p", {}, "Evidence digest of this task ", el("code", { class: "digest" }, dispute.digest ?? "none")),
        lastRead,
        next(task, dispute)),
    ].filter(Boolean));
  fill(facts, details(dispute, {}));
  load(dispute, banner, pieces, facts, lastRead);
}

/** Shows what the dispute holds now, unless another dispute has been selected. */
async function load(dispute, banner, pieces, facts, lastRead) {
  try {
    const now = await ask(`${address}/disputes/${encodeURIComponent(dispute.key)}`);
    if (!banner.isConnected) return;
    fillBanner(banner, MATCHES[now.match] ?? "bad", now.headline, now.facts);
    pieces.replaceChildren(...[evidence(now.pieces, address)].flat(Infinity).filter(Boolean));
    fill(facts, details(dispute, now));
    lastRead.append("Last updated ", moment(now.read_at), " ");
  } catch (problem) {
    if (!banner.isConnected) return;
    showError(banner, pieces, dispute, problem);
  }
  lastRead.append(el("button", { type: "button", onclick: start }, "Refresh"));
}

function next(task, dispute) {
  const position = task.disputes.indexOf(dispute) + 1;
  const following = task.disputes[position];
  if (task.disputes.length < 2) return null;
  return el("p", { class: "next" }, `${position} of ${task.disputes.length}`,
    following ? el("a", { href: `#${following.key}` }, `Next: ${following.money} →`) : null);
}

function heading(dispute) {
  const code = dispute.network_code === dispute.dispute_reason ? null : dispute.network_code;
  const facts = [dispute.dispute_reason, code ? `code ${code}` : null, dispute.stage];
  return el("header", { class: "hero" },
    el("h1", {}, dispute.money, stateChip(dispute)),
    el("p", {}, visible(facts.filter(Boolean).join(" · ")), " ", el("code", {}, visible(dispute.dispute))));
}

function deadline(task, dispute) {
  const waits = task.answer_by && dispute.state === "staged";
  return el("section", { class: "deadline" },
    el("p", {}, el("span", { class: "label" }, "Due by"), dispute.due ? moment(dispute.due) : "No due date", dispute.due ? timeLeft(dispute.due) : null),
    waits
      ? el("p", {}, el("span", { class: "label" }, "Answer by"), moment(task.answer_by), timeLeft(task.answer_by),
          el("span", { class: "quiet" }, "Respond under Required Actions."))
      : null);
}

function fillBanner(banner, tone, headline, facts = []) {
  banner.className = `banner ${tone}`;
  banner.replaceChildren(
    el("span", { class: "mark", "aria-hidden": "true" }, MARKS[tone]),
    el("div", {}, el("p", {}, el("strong", {}, visible(headline))), facts.map((fact) => el("p", {}, visible(fact)))));
}

/** Shows why the dispute cannot be read, and the stored documents. Texts are not stored. */
function showError(banner, pieces, dispute, problem) {
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

function assessment(dispute) {
  const [tone, verdict, why] = VERDICTS[dispute.verdict] ?? [];
  const items = [
    ...dispute.warnings.map((text) => el("li", { class: "warning" }, el("strong", {}, visible(text)))),
    ...dispute.notes.map((text) => el("li", {}, visible(text))),
    ...dispute.missing.map(({ label, why }) =>
      el("li", { class: "missing" }, label ? el("strong", {}, visible(label)) : null, label ? " " : null, visible(why))),
  ];
  if (!verdict && !items.length && !dispute.approval && dispute.state === "staged") return null;
  return el("section", { class: "assessment" },
    verdict ? el("p", {}, el("span", { class: `chip ${tone}` }, verdict), ` ${why}`) : null,
    items.length ? el("ul", {}, items) : null,
    dispute.state === "staged" ? null : el("p", {}, stateChip(dispute), " ", visible(dispute.reason)),
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

function details(dispute, now) {
  const contacted = { true: "Yes", false: "No" }[dispute.customer_contacted] ?? "Not specified";
  return {
    "Disputed amount": dispute.money,
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
    "Task": `${decodeURIComponent(dag)} · ${decodeURIComponent(name)}${mapIndex === "-1" ? "" : ` [${mapIndex}]`}`,
  };
}

function fill(list, facts) {
  const rows = Object.entries(facts).filter(([, value]) => value !== null && value !== undefined);
  list.replaceChildren(...rows.map(([label, value]) => el("div", {}, el("dt", {}, label), el("dd", {}, visible(value)))));
}

/** Follows Airflow's theme; the frame around this page has the same origin. */
function followTheme() {
  if (parent === window) return;
  const outside = parent.document.documentElement;
  const follow = () => {
    const scheme = getComputedStyle(outside).colorScheme;
    for (const theme of ["light", "dark"]) document.documentElement.classList.toggle(theme, scheme === theme);
  };
  new MutationObserver(follow).observe(outside, { attributes: true, attributeFilter: ["class", "style"] });
  follow();
}

followTheme();
start();
