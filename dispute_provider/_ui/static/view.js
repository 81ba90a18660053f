// The page at a task: its disputes at the left, the chosen one with all its evidence at the right.

import { el, moment, spoken, timeLeft, visible } from "./dom.js";
import { documentOf, evidence } from "./pieces.js";

const app = document.getElementById("app");
const asked = new URLSearchParams(location.search);
// Airflow leaves the placeholder as it is at tasks that are not mapped.
const mapIndex = /^\d+$/.test(asked.get("map_index") ?? "") ? asked.get("map_index") : "-1";
const [dag, run, name] = ["dag_id", "run_id", "task_id"].map((key) => encodeURIComponent(asked.get(key) ?? ""));
const address = `dags/${dag}/runs/${run}/tasks/${name}/${mapIndex}`;

const VERDICTS = {
  ready: ["good", "Ready", "nothing is missing that this reason asks for"],
  weak: ["attention", "Weak", "it would be stronger with what is not there yet"],
  missing: ["bad", "Incomplete", "what this reason turns on is not there"],
  unknown: ["", "Not assessed", "nothing is known of what this reason asks for"],
};
const MATCHES = { exact: "good", sent: "good", changed: "bad", over: "attention", nothing: "" };
const MARKS = { good: "✓", bad: "!", attention: "!", "": "i" };
const STATES = {
  staged: "", approved: "good", submitted: "good", conceded: "", held: "attention", rejected: "attention",
  "already-submitted": "attention", "submitted-differs": "bad", refused: "bad", unknown: "bad",
};
const KINDS = {
  added: "added", same: "was there already", renewed: "ours, of an earlier version, replaced",
  removed: "ours, of an earlier version, taken away", kept: "a colleague's, kept; the case has another",
  overwritten: "a colleague's, overwritten", theirs: "not from the case, left alone", conflict: "in conflict: nothing was written",
};

class Refused extends Error {}

async function ask(path) {
  const answer = await fetch(path);
  const known = await answer.json().catch(() => ({}));
  if (answer.ok) return known;
  if (answer.status === 401) throw new Refused("Your login has ended. Log in to Airflow again, and reload this page.");
  if (answer.status === 403)
    throw new Refused("You may not see this: evidence is shown to those who may answer the review.");
  throw new Error(typeof known.detail === "string" ? known.detail : `Airflow answered ${answer.status}.`);
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
  if (!task.disputes.length) return message("This task has no evidence of a dispute to show.");
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
  return el("nav", { "aria-label": "Disputes of this task" },
    el("h2", {}, `${task.disputes.length} disputes`),
    el("ol", {}, task.disputes.map((dispute) =>
      el("li", {}, el("a", { href: `#${dispute.key}` },
        el("strong", {}, dispute.money),
        el("span", { class: `chip ${STATES[dispute.state] ?? ""}` }, dispute.state),
        el("span", { class: "quiet" }, visible(spoken(dispute.dispute_reason))),
        el("code", {}, visible(dispute.dispute)),
        dispute.due ? timeLeft(dispute.due) : null)))));
}

function show(main, task, dispute) {
  const banner = el("section", { class: "banner", role: "status" }, el("p", {}, "Reading what is on the dispute now…"));
  const pieces = el("div", { class: "pieces" });
  const facts = el("dl", { class: "facts-grid" });
  const read = el("p", { class: "quiet" });
  main.replaceChildren(
    ...[
      heading(dispute),
      deadline(task, dispute),
      banner,
      assessment(dispute),
      el("section", {}, el("h2", {}, "Evidence", dispute.usage ? el("span", { class: "quiet" }, dispute.usage) : null), pieces),
      differences(dispute),
      el("section", {}, el("h2", {}, "About this dispute"), facts),
      el("footer", {},
        el("p", {}, "Digest of the evidence at this task ", el("code", { class: "digest" }, dispute.digest ?? "none")),
        read,
        next(task, dispute)),
    ].filter(Boolean));
  fill(facts, known(dispute, {}));
  lookUp(dispute, banner, pieces, facts, read);
}

/** Fills in what is on the dispute now, unless another one has been chosen meanwhile. */
async function lookUp(dispute, banner, pieces, facts, read) {
  try {
    const now = await ask(`${address}/disputes/${encodeURIComponent(dispute.key)}`);
    if (!banner.isConnected) return;
    fillBanner(banner, MATCHES[now.match] ?? "bad", now.headline, now.facts);
    pieces.replaceChildren(...[evidence(now.pieces, address)].flat(Infinity).filter(Boolean));
    fill(facts, known(dispute, now));
    read.append("Read from the dispute ", moment(now.read_at), " ");
  } catch (problem) {
    if (!banner.isConnected) return;
    unread(banner, pieces, dispute, problem);
  }
  read.append(el("button", { type: "button", onclick: start }, "Read again"));
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
  const facts = [spoken(dispute.dispute_reason), code ? `code ${code}` : null, dispute.stage];
  return el("header", { class: "hero" },
    el("h1", {}, dispute.money, el("span", { class: `chip ${STATES[dispute.state] ?? ""}` }, dispute.state)),
    el("p", {}, visible(facts.filter(Boolean).join(" · ")), " ", el("code", {}, visible(dispute.dispute))));
}

function deadline(task, dispute) {
  const waits = task.answer_by && dispute.state === "staged";
  return el("section", { class: "deadline" },
    el("p", {}, el("span", { class: "label" }, "Due"), dispute.due ? moment(dispute.due) : "no due date", dispute.due ? timeLeft(dispute.due) : null),
    waits
      ? el("p", {}, el("span", { class: "label" }, "Answer by"), moment(task.answer_by), timeLeft(task.answer_by),
          el("span", { class: "quiet" }, "under Required Actions; without an answer nothing is sent"))
      : null);
}

function fillBanner(banner, tone, headline, facts = []) {
  banner.className = `banner ${tone}`;
  banner.replaceChildren(
    el("span", { class: "mark", "aria-hidden": "true" }, MARKS[tone]),
    el("div", {}, el("p", {}, el("strong", {}, visible(headline))), facts.map((fact) => el("p", {}, visible(fact)))));
}

/** The API cannot be asked: the documents are ours to show, the texts are not stored anywhere of ours. */
function unread(banner, pieces, dispute, problem) {
  fillBanner(banner, "attention", "What is on the dispute now could not be read.", [
    problem.message,
    ...(problem instanceof Refused ? [] : [
      "The documents below are those that were put to review. The texts stand in the review's form, under Required Actions.",
    ]),
  ]);
  const shown = problem instanceof Refused ? [] : dispute.documents;
  pieces.replaceChildren(...shown.map(({ name, sha256 }) =>
    documentOf({ name: name ?? "document", document: { sha256 } }, address)));
}

function assessment(dispute) {
  const [tone, word, why] = VERDICTS[dispute.verdict] ?? [];
  const items = [
    ...dispute.warnings.map((text) => el("li", { class: "warning" }, el("strong", {}, visible(text)))),
    ...dispute.notes.map((text) => el("li", {}, visible(text))),
    ...dispute.missing.map((text) => el("li", { class: "missing" }, absent(text))),
  ];
  if (!word && !items.length && !dispute.approval && dispute.state === "staged") return null;
  return el("section", { class: "assessment" },
    word ? el("p", {}, el("span", { class: `chip ${tone}` }, word), ` ${why}.`) : null,
    items.length ? el("ul", {}, items) : null,
    dispute.state === "staged" ? null : el("p", {}, el("span", { class: `chip ${STATES[dispute.state] ?? ""}` }, dispute.state), " ", visible(dispute.reason)),
    dispute.approval
      ? el("p", { class: "quiet" }, visible(`${spoken(dispute.approval.action)} was answered by ${dispute.approval.responder}, `), moment(dispute.approval.responded_at))
      : null);
}

/** What is missing is told as a name and why it matters. */
function absent(text) {
  const [name, ...why] = text.split(": ");
  return why.length ? [el("strong", {}, visible(spoken(name))), " ", visible(why.join(": "))] : visible(text);
}

function differences(dispute) {
  const told = dispute.differences.filter((each) => each.kind !== "added" && each.kind !== "same");
  if (!told.length) return null;
  return el("section", {}, el("h2", {}, "What was on the dispute before"),
    el("table", {},
      el("thead", {}, el("tr", {}, ["Evidence", "What became of it", "In the case", "Before"].map((text) => el("th", { scope: "col" }, text)))),
      el("tbody", {}, told.map((each) => el("tr", {},
        el("th", { scope: "row" }, visible(spoken(each.name))),
        el("td", {}, KINDS[each.kind] ?? visible(each.kind)),
        el("td", {}, el("code", {}, each.case ?? "–")),
        el("td", {}, el("code", {}, each.held ?? "–")))))));
}

function known(dispute, now) {
  const contacted = { true: "yes", false: "no" }[dispute.customer_contacted] ?? "not said";
  return {
    "Disputed": dispute.money,
    "Charged": dispute.charged,
    "Refunded": dispute.refunded,
    "Network": now.network,
    "Merchant": now.merchant ?? dispute.account,
    "Mode": { true: "live", false: "test" }[now.live],
    "Status now": now.status,
    "Earlier submissions": dispute.submissions,
    "Prepared by": dispute.prepared_by ?? "not said",
    "Customer contacted first": contacted,
    "Connection": dispute.connection,
    "Task": `${decodeURIComponent(dag)} · ${decodeURIComponent(name)}${mapIndex === "-1" ? "" : ` [${mapIndex}]`}`,
  };
}

function fill(list, facts) {
  const rows = Object.entries(facts).filter(([, value]) => value !== null && value !== undefined);
  list.replaceChildren(...rows.map(([label, value]) => el("div", {}, el("dt", {}, label), el("dd", {}, visible(value)))));
}

/** Follows the theme that was chosen in Airflow, which is of the same origin as its frame. */
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
