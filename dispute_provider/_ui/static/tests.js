// Tests of a request: the DAG of its API makes it, with the user's own permissions.

import { el, moment, visible } from "./dom.js";
import { copyButton } from "./explorer.js";
import { trigger, write } from "./server.js";
import { airflowPath, openAirflow } from "./theme.js";

const AGAIN = 600;
const ENDED = ["success", "failed"];
const KEPT = 10;

const pause = (milliseconds) => new Promise((resume) => setTimeout(resume, milliseconds));

/** The bar that starts a test, its answer, and the user's last tests. */
export class Tests {
  constructor(operation, form, { user, say, show }) {
    Object.assign(this, { operation, form, user, say, show, prepared: null, running: null });
    this.dry = el("input", { type: "checkbox", id: "dry-run", checked: true, onchange: () => this.update() });
    this.confirm = el("input", { id: "confirm", spellcheck: "false", oninput: () => this.update() });
    this.ask = el("div", { class: "field", hidden: true }, el("label", { for: "confirm" }, "This cannot be undone. Type the dispute ID to confirm"), this.confirm);
    this.button = el("button", { type: "button", class: "primary", onclick: () => this.start() }, "Test");
    this.stop = el("button", { type: "button", hidden: true, onclick: () => this.cancel() }, "Cancel");
    this.bar = el("div", { class: "testing" }, this.ask,
      el("div", { class: "line" }, el("label", { class: "pick" }, this.dry, "Dry run: show the request, send nothing"), this.stop, this.button));
    this.answer = el("div", { class: "answer" }, el("p", { class: "quiet" }, "No test yet. A test shows the request and the API's answer here."));
    this.history = el("div", { class: "history" });
    this.update();
  }

  /** The form has changed, and its request is not prepared yet. */
  wait() {
    this.prepared = null;
    this.update();
  }

  prepare(prepared) {
    this.prepared = prepared;
    this.update();
  }

  update() {
    const { prepared } = this;
    const final = Boolean(prepared?.final) && !this.dry.checked;
    this.ask.hidden = !final;
    const unconfirmed = final && (!prepared.dispute || this.confirm.value !== prepared.dispute);
    this.button.disabled = !prepared || Boolean(this.running) || Boolean(this.operation.missing) || unconfirmed || (prepared.violations.length > 0 && !this.dry.checked);
    this.button.textContent = this.running ? "Testing…" : this.dry.checked ? "Test" : `Send to ${this.operation.title}`;
    this.stop.hidden = !this.running;
  }

  async start() {
    const { dag_id: dag } = this.operation;
    const { conf, snippets } = this.prepared;
    const test = { at: new Date().toISOString(), dag, dry: this.dry.checked, http: snippets.find(({ name }) => name === "HTTP")?.code };
    this.running = test;
    this.update();
    this.show();
    this.tell("Starting…");
    try {
      const { status, reason, content } = await trigger(dag, { ...conf, dry_run: test.dry, ...(this.ask.hidden ? {} : { confirm: this.confirm.value }) });
      if (status !== 200) return this.fail(status === 403 ? `You don't have permission to trigger DAG ${dag}.` : status === 401 ? "Your session has expired. Log in to Airflow and reload this page." : `The test was not started: ${reason}`);
      test.run = content.dag_run_id;
      await this.follow(test);
    } catch (problem) {
      this.fail(`It is not known whether the test was started: ${problem.message} See Last tests.`);
    } finally {
      this.confirm.value = "";
      this.running = null;
      this.update();
    }
  }

  async follow(test) {
    const began = Date.now();
    for (;;) {
      const { status, content } = await write("GET", pathOf(test));
      if (status !== 200) return this.fail(`The run ${test.run} cannot be read (status ${status}).`);
      if (ENDED.includes(content.state)) {
        test.state = content.state;
        break;
      }
      this.tell(`${content.state === "queued" ? "Waiting for a worker" : "Running"}… ${Math.round((Date.now() - began) / 1000)} s`);
      await pause(AGAIN);
    }
    test.took = (Date.now() - began) / 1000;
    await this.read(test);
  }

  /** Shows what a run returned; Airflow keeps it, redacted. */
  async read(test) {
    const key = test.state === "success" ? "return_value" : "failure";
    const { status, content } = await write("GET", `${pathOf(test)}/taskInstances/request/xcomEntries/${key}?stringify=false`);
    const value = status === 200 ? (typeof content.value === "string" ? JSON.parse(content.value) : content.value) : null;
    this.answer.replaceChildren(...answerOf(test, value, status));
  }

  async cancel() {
    const test = this.running;
    if (!test?.run) return;
    this.stop.disabled = true;
    const { status, reason } = await write("PATCH", pathOf(test), { state: "failed" });
    this.stop.disabled = false;
    if (status !== 200) this.say("bad", `The test was not cancelled: ${reason}`);
    test.cancelled = status === 200;
  }

  tell(text) {
    this.answer.replaceChildren(el("p", { class: "quiet", role: "status" }, text));
  }

  fail(text) {
    this.answer.replaceChildren(el("p", { class: "problem", role: "alert" }, visible(text)));
  }

  /** Shows the user's last tests of this operation's API, which Airflow keeps as runs. */
  async load() {
    const { dag_id: dag } = this.operation;
    const query = new URLSearchParams({ limit: 50, order_by: "-run_after", triggering_user_name_pattern: this.user });
    const { status, content, reason } = await write("GET", `dags/${encodeURIComponent(dag)}/dagRuns?${query}`);
    if (status !== 200) return this.history.replaceChildren(el("p", { class: "quiet" }, status === 404 ? "No tests yet." : visible(reason)));
    const own = content.dag_runs.filter((run) => run.triggering_user_name === this.user && run.conf?.operation === this.operation.id).slice(0, KEPT);
    if (!own.length) return this.history.replaceChildren(el("p", { class: "quiet" }, "You have not tested this operation yet."));
    this.history.replaceChildren(el("ol", {}, own.map((run) => el("li", {},
      el("span", { class: `chip ${run.state === "success" ? "good" : run.state === "failed" ? "bad" : ""}` }, run.conf.dry_run === false ? "Sent" : "Dry run"),
      moment(run.run_after), el("span", { class: "quiet" }, run.state === "failed" ? "failed" : ENDED.includes(run.state) ? "" : run.state),
      el("button", { type: "button", onclick: () => this.again(run) }, "Open")))));
  }

  /** Fills in the form as an earlier test had it, and shows that test's answer. */
  async again(run) {
    this.form.fill(run.conf.conn_id, run.conf.arguments ?? {});
    this.dry.checked = true;
    const test = { dag: run.dag_id, run: run.dag_run_id, state: run.state, at: run.run_after, dry: run.conf.dry_run !== false };
    this.show();
    await (ENDED.includes(run.state) ? this.read(test) : this.follow(test));
  }
}

function answerOf(test, value, status) {
  const path = `dags/${encodeURIComponent(test.dag)}/runs/${encodeURIComponent(test.run)}`;
  const open = el("a", { href: airflowPath(path), onclick: (event) => openAirflow(event, path) }, "Open run");
  const facts = el("p", { class: "quiet" }, moment(test.at), test.took ? ` · ${test.took.toFixed(1)} s in Airflow` : null, " · ", open);
  if (!value)
    return [el("p", { class: "problem" }, test.cancelled ? "Cancelled. If the request was already on its way, the API may have carried it out." : `The run left no answer (status ${status}). Its log says why.`), facts];
  if (test.dry || value.sent === false)
    return [
      value.error || value.violations?.length
        ? el("p", { class: "problem" }, visible(value.error ?? `Nothing was sent. ${value.violations.join(" · ")}`))
        : el("p", {}, el("span", { class: "chip good" }, "Valid"), " Dry run: nothing was sent."),
      facts, block("Request", test.http ?? requestOf(value))];
  const good = test.state === "success";
  return [
    el("p", { class: "status" }, el("span", { class: `chip ${good ? "good" : "bad"}` }, value.status ? `${value.status}` : "No answer"),
      typeof value.seconds !== "number" ? null : el("span", { class: "quiet" }, ` ${value.seconds.toFixed(2)} s at the API`)),
    value.request_id ? el("p", {}, el("span", { class: "label" }, "Request ID"), el("code", {}, visible(value.request_id)), " ", copyButton(value.request_id, "request ID")) : null,
    facts,
    value.error ? el("p", { class: "problem" }, visible(value.error)) : null,
    value.headers && Object.keys(value.headers).length ? block("Headers", Object.entries(value.headers).map(([name, text]) => `${name}: ${text}`).join("\n")) : null,
    "answer" in value ? block("Answer", value.answer === null ? "(no body)" : JSON.stringify(value.answer, null, 2)) : null,
    test.http ? block("Request", test.http) : null,
  ].filter(Boolean);
}

function requestOf(value) {
  const head = Object.entries(value.headers).map(([name, text]) => `${name}: ${text}`);
  return [`${value.method} ${value.url}`, ...head, "", ...value.body].join("\n");
}

function block(name, code) {
  return el("section", { "aria-label": name }, el("header", {}, el("h3", {}, name), copyButton(code, name.toLowerCase())), el("pre", { tabindex: "0" }, visible(code)));
}

function pathOf({ dag, run }) {
  return `dags/${encodeURIComponent(dag)}/dagRuns/${encodeURIComponent(run)}`;
}
