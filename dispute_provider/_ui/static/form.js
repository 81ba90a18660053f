// A form of a request or a case, made from the contract's description of its fields.

import { capital, el, visible } from "./dom.js";
import { inline } from "./reference.js";

/** A form; `changed` is called whenever a value changes. */
export class Form {
  constructor(operation, { changed }) {
    Object.assign(this, { operation, changed });
    this.inputs = new Map();
    this.connection = el("select", { id: "field-connection", onchange: changed }, operation.connections.map((name) => el("option", { value: name }, name)));
    this.element = el("form", { autocomplete: "off", novalidate: true, onsubmit: (event) => event.preventDefault() },
      operation.connections.length ? el("div", { class: "field" }, el("label", { for: "field-connection" }, "Connection"), this.connection) : null,
      this.sections());
  }

  /** Required fields stand open; the others are folded by section. */
  sections() {
    const { fields } = this.operation;
    const top = fields.filter((field) => field.required || !field.section);
    const rest = fields.filter((field) => !top.includes(field));
    const names = [...new Set(rest.map((field) => field.section))];
    return [
      top.map((field) => this.field(field)),
      names.map((name) => {
        const own = rest.filter((field) => field.section === name);
        const count = el("span", { class: "count" });
        const details = el("details", { open: names.length === 1 && own.length < 5 }, el("summary", {}, name, " ", count), own.map((field) => this.field(field)));
        details.update = () => {
          const filled = own.filter((field) => this.isFilled(field)).length;
          count.textContent = filled ? `${filled} filled in` : "";
        };
        return details;
      }),
    ];
  }

  field(field) {
    const id = `field-${field.name}`;
    const input = widget(field, id);
    const problem = el("p", { class: "wrong", id: `${id}-problem`, role: "alert" });
    const length = field.most ? el("span", { class: "quiet length" }) : null;
    const clear = field.clearable ? el("input", { type: "checkbox", "aria-label": `Clear ${field.title}` }) : null;
    const limits = field.limits.filter((limit) => !field.description.includes(limit));
    input.setAttribute("aria-describedby", `${id}-about ${id}-problem`);
    const update = () => {
      if (length) {
        length.textContent = input.value ? `${input.value.length.toLocaleString("en")} of ${field.most.toLocaleString("en")}` : "";
        length.classList.toggle("over", input.value.length > field.most);
      }
      if (clear) input.disabled = clear.checked;
      input.closest("details")?.update();
    };
    const edited = () => { update(); this.changed(); };
    input.addEventListener("input", edited);
    clear?.addEventListener("change", edited);
    this.inputs.set(field.name, { field, input, clear, problem, update });
    const label = el("label", { for: id }, visible(field.title), field.required ? el("span", { class: "needed" }, " required") : null);
    return el("div", { class: `field ${field.kind}` },
      field.kind === "switch" ? el("div", { class: "line" }, input, label) : el("div", { class: "line" }, label, length),
      field.kind === "switch" ? null : input,
      el("p", { class: "quiet", id: `${id}-about` }, inline([field.description, ...limits].filter(Boolean).join(" "))),
      clear ? el("label", { class: "clear" }, clear, "Clear it at the API") : null,
      problem);
  }

  isFilled({ name }) {
    const found = this.inputs.get(name);
    return Boolean(found && (found.clear?.checked || (found.input.type === "checkbox" ? found.input.checked : found.input.value)));
  }

  /** Returns what was filled in, by the fields' names; ``unset`` lists the fields to clear. */
  values() {
    const values = { unset: [] };
    for (const [name, { field, input, clear }] of this.inputs) {
      if (clear?.checked) values.unset.push(name);
      else values[name] = valueOf(field, input);
    }
    return values;
  }

  /** Shows each violation at its field, once the field was touched or the request was complete. */
  complain(violations) {
    for (const [name, { field, input, problem }] of this.inputs) {
      const own = violations.filter((each) => each.field === name);
      // An empty field that is required is marked as such already.
      const shown = field.required && !input.value ? [] : own;
      problem.replaceChildren(...visible(capital(shown.map(({ text }) => text.replace(/^\/\S*: /, "")).join(" · "))));
      input.setAttribute("aria-invalid", String(shown.length > 0));
      if (shown.length) input.closest("details")?.setAttribute("open", "");
    }
  }

  /** Fills in the arguments of an earlier test. */
  fill(connection, given) {
    if (this.operation.connections.includes(connection)) this.connection.value = connection;
    for (const { field, input, clear, update } of this.inputs.values()) {
      const value = field.path.reduce((found, step) => found?.[step], given);
      if (clear) clear.checked = value === "";
      if (input.type === "checkbox") input.checked = value === true;
      else input.value = value === undefined || value === null ? "" : field.kind === "list" ? value.join("\n") : typeof value === "object" ? JSON.stringify(value, null, 2) : String(value);
      update();
    }
    this.changed();
  }
}

function widget(field, id) {
  const placeholder = field.example === null ? null : `Example: ${field.example}`.slice(0, 90);
  switch (field.kind) {
    case "choice":
      return el("select", { id }, el("option", { value: "" }, field.required ? "Choose…" : "(not sent)"), field.choices.map(([value, label]) => el("option", { value }, label)));
    case "switch":
      return el("input", { id, type: "checkbox" });
    case "long-text":
      return el("textarea", { id, rows: 4, placeholder });
    case "list":
      return el("textarea", { id, rows: 2, placeholder: "One per line" });
    case "object":
      return el("textarea", { id, rows: 3, placeholder: placeholder ?? "JSON", class: "code", spellcheck: "false" });
    case "number":
      return el("input", { id, inputmode: "numeric", placeholder });
    case "document":
      return el("input", { id, placeholder: "Path under [dispute] case_roots; empty for a sample page", spellcheck: "false" });
    default:
      return el("input", { id, placeholder, spellcheck: "false" });
  }
}

function valueOf({ kind }, input) {
  if (kind === "switch") return input.checked;
  const text = input.value;
  if (text === "") return null;
  if (kind === "number" && /^-?\d+$/.test(text.trim())) return Number(text);
  if (kind === "list") return text.split("\n").filter(Boolean);
  if (kind !== "object") return text;
  try {
    return JSON.parse(text);
  } catch {
    // The server says what it expects.
    return text;
  }
}
