// The Evidence tab of a task: its disputes on the left, the selected dispute with its evidence on the right.

import { markOf, show } from "./dispute.js";
import { capital, el, timeLeft, visible } from "./dom.js";
import { progressOf, ways } from "./progress.js";
import { addressOf, ask } from "./server.js";
import { followTheme } from "./theme.js";

const REFRESH = 3000;
const app = document.getElementById("app");
const query = new URLSearchParams(location.search);
// Airflow does not replace the placeholder of a task that is not mapped.
const mapIndex = /^\d+$/.test(query.get("map_index") ?? "") ? query.get("map_index") : "-1";
const [dag_id, run_id, task_id] = ["dag_id", "run_id", "task_id"].map((key) => query.get(key) ?? "");
const address = addressOf({ dag_id, run_id, task_id, map_index: mapIndex });

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
  if (!task.disputes.length) return followRun();
  const main = el("main", { tabindex: "-1" });
  const list = task.disputes.length > 1 ? sidebar(task) : null;
  app.className = list ? "with-list" : "";
  app.replaceChildren(...[list, main].filter(Boolean));
  choose = (focus) => {
    const key = location.hash.slice(1);
    const dispute = task.disputes.find((each) => each.key === key) ?? task.disputes[0];
    for (const link of list?.querySelectorAll("a") ?? [])
      link.setAttribute("aria-current", String(link.hash === `#${dispute.key}`));
    show(main, task, dispute, { refresh: start, below: next(task, dispute) });
    const section = el("section", {});
    main.querySelector("footer").before(section);
    followDispute(section, dispute);
    if (focus) main.focus();
    scrollTo(0, 0);
  };
  choose(false);
}

/** Shows how the disputes of the run go on, at a task that has none itself, until the run has ended. */
async function followRun() {
  const progress = await progressOf({ dag_id, run_id }).catch(({ message: text }) => message(text));
  if (!progress) return;
  if (!progress.disputes.length) message("This task has no dispute evidence.");
  else app.replaceChildren(el("main", { tabindex: "-1" },
    el("h2", {}, progress.disputes.length === 1 ? "1 dispute of this run" : `${progress.disputes.length} disputes of this run`),
    el("p", { class: "quiet" }, "This task has no evidence of its own. ", progress.over ? "The run has ended." : "The run is in progress."),
    ways({ dag_id, run_id }, progress.disputes)));
  if (!progress.over) setTimeout(followRun, REFRESH);
}

/** Keeps a section up to date with how a dispute goes on. */
async function followDispute(section, dispute) {
  const progress = await progressOf({ dag_id, run_id }).catch(() => null);
  const found = progress?.disputes.filter((each) => each.dispute === dispute.dispute) ?? [];
  // Until the review is answered, there is nothing to follow.
  if (found.some((each) => each.steps.length > 1))
    section.replaceChildren(el("h2", {}, "Progress"), ways({ dag_id, run_id }, found));
  if (progress && !progress.over && section.isConnected) setTimeout(() => followDispute(section, dispute), REFRESH);
}

function sidebar(task) {
  return el("nav", { "aria-label": "Disputes in this task" },
    el("h2", {}, `${task.disputes.length} disputes`),
    el("ol", {}, task.disputes.map((dispute) =>
      el("li", {}, el("a", { href: `#${dispute.key}` },
        el("strong", {}, capital(dispute.money)),
        markOf(dispute),
        el("span", { class: "quiet" }, visible(dispute.dispute_reason ?? "")),
        el("code", {}, visible(dispute.dispute)),
        dispute.due ? timeLeft(dispute.due) : null)))));
}

function next(task, dispute) {
  const position = task.disputes.indexOf(dispute) + 1;
  const following = task.disputes[position];
  if (task.disputes.length < 2) return null;
  return el("p", { class: "next" }, `${position} of ${task.disputes.length}`,
    following ? el("a", { href: `#${following.key}` }, `Next: ${following.money} →`) : null);
}

followTheme();
start();
