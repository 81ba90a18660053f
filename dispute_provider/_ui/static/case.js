// The form of a case for a dispute that has none. Its run stages the evidence, and opens a review.

import { el, moment, readable, timeLeft, visible } from "./dom.js";
import { copyButton } from "./explorer.js";
import { Form } from "./form.js";
import { progressOf } from "./progress.js";
import { ask, trigger } from "./server.js";
import { airflowPath, openAirflow } from "./theme.js";

const PREVIEW = 300;
const AGAIN = 2000;
const MISSING = {
  dag: (dag) => `DAG ${dag} is missing. Add the example DAG dispute_evidence.py to your DAGs folder.`,
  paused: (dag) => `DAG ${dag} is paused. Unpause it to stage this case.`,
};

/** Reads the form of a dispute of the inbox. */
export async function caseForm(dispute, actions) {
  const query = new URLSearchParams({ connection: dispute.connection, dispute: dispute.dispute });
  const address = `dags/${encodeURIComponent(dispute.case_dag)}/cases?${query}`;
  return new CaseForm(await ask(address), address, actions);
}

/** The form; `back()` shows the inbox again, and `opened(dispute)` shows the review of a staged dispute. */
class CaseForm {
  constructor(about, address, { back, opened }) {
    Object.assign(this, { about, address, opened, prepared: null, running: false });
    this.form = new Form({ fields: about.fields, connections: [] }, { changed: () => this.preview() });
    this.file = el("div", { class: "snippets" });
    this.said = el("p", { class: "quiet", role: "status" });
    this.button = el("button", { type: "button", class: "primary", onclick: () => this.start() }, "Stage and review");
    this.element = el("main", { class: "operation case", tabindex: "-1", "aria-label": "Case" },
      el("header", { class: "about" },
        el("button", { type: "button", onclick: back }, "← Inbox"),
        el("div", {}, el("h2", { tabindex: "-1" }, "Case for ", visible(about.dispute)), el("span", { class: "quiet" }, visible(this.facts()))),
        about.due ? el("p", { class: "quiet" }, "Due by ", moment(about.due), " · ", timeLeft(about.due)) : null),
      el("div", { class: "work" },
        el("div", { class: "form" },
          about.missing ? el("p", { class: "problem" }, visible(MISSING[about.missing](about.dag_id))) : null,
          el("p", { class: "quiet" }, about.needs ? "The evidence that is recommended for this reason comes first; every field is optional." : "No evidence is recommended for this reason; every field is optional."),
          this.form.element,
          el("div", { class: "testing" }, el("div", { class: "line" }, this.said, this.button))),
        el("div", { class: "side" }, el("div", { class: "pane", tabindex: "0", role: "region", "aria-label": "Case file" }, this.file))));
    this.form.fill("", { folder: about.folder });
  }

  facts() {
    const { api, connection, account, money, dispute_reason: reason } = this.about;
    return [money, reason, api, connection, account].filter(Boolean).join(" · ");
  }

  /** Asks the server for the case as the form has it, once typing pauses. */
  preview() {
    clearTimeout(this.previewing);
    this.prepared = null;
    this.update();
    const asked = (this.asked = {});
    this.previewing = setTimeout(async () => {
      let prepared;
      try {
        prepared = await ask(this.address, { values: this.form.values() });
      } catch (problem) {
        return this.say(problem.message, "problem");
      }
      // An answer about the form as it was before is not taken any more.
      if (asked !== this.asked) return;
      this.prepared = prepared;
      this.form.complain(prepared.violations);
      this.show(prepared);
      this.update();
    }, PREVIEW);
  }

  show({ violations, file }) {
    const others = violations.filter(({ field }) => !field);
    const { folder } = this.about;
    this.file.replaceChildren(...[
      el("p", { class: "quiet" }, "Airflow keeps what you enter in the configuration of the run, for all who may see its runs. To keep it out of Airflow, save it as a case file instead; the next sweep finds it",
        folder ? [" at ", el("code", {}, visible(`${folder}/case.yaml`))] : null, "."),
      others.length ? el("ul", { class: "notes" }, others.map(({ text }) => el("li", { class: "bad" }, visible(text)))) : null,
      el("section", { "aria-label": "case.yaml" },
        el("header", {}, el("h3", {}, "case.yaml"), copyButton(file, "case file")),
        el("pre", { tabindex: "0" }, visible(file))),
    ].filter(Boolean));
  }

  update() {
    this.button.disabled = this.running || Boolean(this.about.missing) || !this.prepared || this.prepared.violations.length > 0;
    this.button.textContent = this.running ? "Staging…" : "Stage and review";
  }

  say(text, tone = "quiet", run = null) {
    const path = run && `dags/${encodeURIComponent(run.dag_id)}/runs/${encodeURIComponent(run.run_id)}`;
    this.said.className = tone;
    this.said.replaceChildren(...[readable(text)].flat(Infinity), ...(run ? [" ", el("a", { href: airflowPath(path), onclick: (event) => openAirflow(event, path) }, "Open run")] : []));
  }

  async start() {
    const { dag_id } = this.about;
    this.running = true;
    this.update();
    this.say("Starting…");
    try {
      const { status, reason, content } = await trigger(dag_id, this.prepared.conf);
      if (status === 200) await this.follow({ dag_id, run_id: content.dag_run_id });
      else this.say(status === 403 ? `You don't have permission to trigger DAG ${dag_id}.` : status === 401 ? "Your session has expired. Log in to Airflow in another window; what you entered stays here." : `The run was not started: ${reason}`, "problem");
    } catch (problem) {
      this.say(`It is not known whether the run was started: ${problem.message}`, "problem");
    } finally {
      this.running = false;
      this.update();
    }
  }

  /** Waits for the review of the run, or for the reason why there is none. */
  async follow(run) {
    for (;;) {
      let progress;
      try {
        progress = await progressOf(run);
      } catch (problem) {
        return this.say(`The run was started. ${problem.message}`, "problem", run);
      }
      if (progress.tasks.review === "awaiting_input") return this.opened(this.about.dispute);
      const [dispute] = progress.disputes;
      if (progress.over) return this.say(dispute ? `Not staged: ${dispute.reason}` : "The run ended without staging the case.", "problem", run);
      this.say("Staging the evidence; its review opens here.", "quiet", run);
      await new Promise((resume) => setTimeout(resume, AGAIN));
    }
  }
}
