// The explorer: search an operation, read its reference, build its request, test it.

import { el, visible } from "./dom.js";
import { Form } from "./form.js";
import { referenceOf } from "./reference.js";
import { ask } from "./server.js";
import { Tests } from "./tests.js";
import { anchor, keepAnchor } from "./theme.js";

const TYPING = 200;
const PREVIEW = 300;
const EFFECTS = { read: ["", "Reads"], write: ["attention", "Writes"], irreversible: ["bad", "Cannot be undone"] };
const MISSING = {
  dag: (dag) => `DAG ${dag} is missing. Add the example DAG api_requests.py to your DAGs folder.`,
  paused: (dag) => `DAG ${dag} is paused. Unpause it to test requests.`,
};
const PATH = /^explorer(?:\/([a-z0-9_]+)\/([^/]+))?\/?$/;

/** Returns the API and the operation that the address of the window names; null if it names no operation. */
function linked() {
  return PATH.exec(anchor())?.slice(1) ?? null;
}

/** The place *Explorer*. */
export class Explorer {
  name = "Explorer";

  constructor({ say }) {
    this.say = say;
    this.found = [];
    this.search = el("input", { type: "search", placeholder: "Search name, path, field or status", "aria-label": "Search operations", oninput: () => this.typed(), onkeydown: (event) => this.key(event) });
    this.count = el("p", { class: "quiet", role: "status" });
    this.list = el("nav", { class: "operations", "aria-label": "Operations" });
    this.page = el("section", { class: "operation", "aria-label": "Operation" });
    this.element = el("main", { class: "explorer", tabindex: "-1" },
      el("div", { class: "finder" }, el("div", { class: "tools" }, this.search, this.count), this.list), this.page);
  }

  async enter() {
    const [api, id] = linked() ?? [];
    if (!this.found.length) await this.find();
    if (id && this.operation?.id !== id) await this.choose({ api, id });
    else if (this.operation) this.locate();
    else {
      keepAnchor("explorer");
      this.show(null);
    }
    if (!id) this.search.focus();
  }

  /** Does nothing: operations change with the package only. */
  async refresh() {}

  typed() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.find(), TYPING);
  }

  /** Enter opens the first operation; the arrow goes into the list. */
  key(event) {
    if (event.key !== "Enter" && event.key !== "ArrowDown") return;
    event.preventDefault();
    if (event.key === "ArrowDown") return this.list.querySelector("a")?.focus();
    clearTimeout(this.timer);
    this.find().then(() => this.found[0] && this.choose(this.found[0]));
  }

  async find() {
    const asked = (this.asked = {});
    let answer;
    try {
      answer = await ask(`explorer?${new URLSearchParams({ text: this.search.value.slice(0, 200) })}`);
    } catch (problem) {
      return this.say("bad", problem.message);
    }
    if (asked !== this.asked) return;
    this.found = answer.operations;
    this.user = answer.user;
    this.count.textContent = this.found.length === 1 ? "1 operation" : `${this.found.length} operations`;
    this.list.replaceChildren(el("ol", {}, this.found.map((each) => el("li", {}, this.link(each)))));
    this.mark();
  }

  link(each) {
    const [tone, effect] = EFFECTS[each.effect];
    const link = el("a", { href: `#${each.api}/${each.id}`, title: each.about },
      el("strong", {}, each.summary), el("span", { class: "quiet" }, each.title),
      el("code", {}, `${each.method} `, each.path.split(/(?=[/])/).flatMap((step) => [el("wbr"), step])),
      each.effect === "read" ? null : el("span", { class: `chip ${tone}` }, effect));
    link.dataset.id = `${each.api}/${each.id}`;
    link.addEventListener("click", (event) => { event.preventDefault(); this.choose(each); });
    link.addEventListener("keydown", (event) => {
      const step = { ArrowDown: "nextElementSibling", ArrowUp: "previousElementSibling" }[event.key];
      if (!step) return;
      event.preventDefault();
      (link.parentElement[step]?.querySelector("a") ?? (step === "previousElementSibling" ? this.search : link)).focus();
    });
    return link;
  }

  mark() {
    const current = this.operation ? `${this.operation.api}/${this.operation.id}` : "";
    for (const link of this.list.querySelectorAll("a")) link.setAttribute("aria-current", String(link.dataset.id === current));
  }

  locate() {
    keepAnchor(`explorer/${this.operation.api}/${encodeURIComponent(this.operation.id)}`);
  }

  async choose({ api, id }, focus = true) {
    let operation;
    try {
      operation = await ask(`explorer/${encodeURIComponent(api)}/${encodeURIComponent(id)}`);
    } catch (problem) {
      return this.say("bad", problem.message);
    }
    this.show(operation);
    this.mark();
    this.locate();
    if (focus) this.page.querySelector("h2").focus({ preventScroll: true });
  }

  show(operation) {
    this.operation = operation;
    this.element.classList.toggle("reading", Boolean(operation));
    if (!operation) {
      this.page.replaceChildren(el("div", { class: "empty" }, el("p", { class: "big" }, "Choose an operation"), el("p", {}, "Read its reference, build its request, and test it. Nothing is sent until you switch off the dry run.")));
      return;
    }
    const [tone, effect] = EFFECTS[operation.effect];
    this.form = new Form(operation, { changed: () => this.preview() });
    this.tests = new Tests(operation, this.form, { user: this.user, say: this.say, show: () => { this.tab("Answer"); this.tabs.scrollIntoView({ block: "nearest" }); } });
    this.request = el("div", { class: "snippets" });
    this.panes = { Reference: el("div", { class: "reference" }, referenceOf(operation.sections)), Request: this.request, Answer: this.tests.answer, "Last tests": this.tests.history };
    this.tabs = el("div", { class: "tabs", role: "tablist", "aria-label": "Reference, request and answer" });
    this.pane = el("div", { class: "pane", role: "tabpanel", tabindex: "0" });
    this.page.replaceChildren(
      el("header", { class: "about" },
        el("button", { type: "button", class: "back", onclick: () => this.back() }, "← Operations"),
        el("div", {}, el("h2", { tabindex: "-1" }, operation.summary), el("span", { class: "quiet" }, operation.title), el("span", { class: `chip ${tone}` }, effect)),
        el("p", {}, el("code", {}, `${operation.method} ${operation.path}`))),
      el("div", { class: "work" },
        el("div", { class: "form" }, this.blocked(operation), this.form.element, operation.may_test ? this.tests.bar : null),
        el("div", { class: "side" }, this.tabs, this.pane)));
    this.tab("Reference");
    this.preview();
  }

  blocked({ may_test: allowed, missing, dag_id: dag, connections }) {
    if (!allowed) return el("p", { class: "problem" }, `To test requests, you need permission to trigger DAG ${dag}.`);
    if (missing) return el("p", { class: "problem" }, visible(MISSING[missing](dag)));
    if (!connections.length) return el("p", { class: "problem" }, "No connection is offered. Name connections in [dispute] connections.");
    return null;
  }

  back() {
    this.show(null);
    keepAnchor("explorer");
    this.mark();
    this.search.focus();
  }

  tab(name) {
    this.current = name;
    this.tabs.replaceChildren(...Object.keys(this.panes).map((each) => {
      const button = el("button", { type: "button", role: "tab", "aria-selected": String(each === name), tabindex: each === name ? "0" : "-1", onclick: () => this.tab(each) }, each);
      button.addEventListener("keydown", (event) => {
        const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
        if (!step) return;
        const names = Object.keys(this.panes);
        this.tab(names[(names.indexOf(name) + step + names.length) % names.length]);
        this.tabs.querySelector("[aria-selected=true]").focus();
      });
      return button;
    }));
    this.pane.replaceChildren(this.panes[name]);
    this.pane.setAttribute("aria-label", name);
    this.pane.scrollTo(0, 0);
    if (name === "Last tests") this.tests.load();
  }

  /** Asks the server for the request as the form has it, once typing pauses. */
  preview() {
    clearTimeout(this.previewing);
    const { operation, form, tests } = this;
    if (!operation.may_test || !operation.connections.length) {
      this.request.replaceChildren(el("p", { class: "quiet" }, "The request is shown to users who may test it."));
      return;
    }
    tests.wait();
    // An answer about the form as it was before is not taken any more.
    const asked = (this.drawing = {});
    this.previewing = setTimeout(async () => {
      let prepared;
      try {
        prepared = await ask(`dags/${encodeURIComponent(operation.dag_id)}/requests`, { operation: operation.id, conn_id: form.connection.value, values: form.values() });
      } catch (problem) {
        return this.say("bad", problem.message);
      }
      if (asked !== this.drawing || operation !== this.operation) return;
      form.complain(prepared.violations);
      tests.prepare(prepared);
      this.snippets(prepared);
    }, PREVIEW);
  }

  snippets({ violations, snippets }) {
    if (violations.length)
      return this.request.replaceChildren(
        el("p", { class: "problem" }, `The request would be refused: ${violations.length} ${violations.length === 1 ? "violation" : "violations"}.`),
        el("ul", { class: "notes" }, violations.map(({ text }) => el("li", { class: "bad" }, visible(text)))));
    this.request.replaceChildren(...snippets.map(({ name, code }) => el("section", { "aria-label": name },
      el("header", {}, el("h3", {}, name), copyButton(code, name)),
      el("pre", { tabindex: "0" }, visible(code)))));
  }
}

/** Returns a button that copies a text, and nothing else. */
export function copyButton(text, name) {
  const button = el("button", { type: "button", "aria-label": `Copy ${name}` }, "Copy");
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(text);
    button.textContent = "Copied";
    setTimeout(() => (button.textContent = "Copy"), 1500);
  });
  return button;
}
