// The dialog that chooses *Submit* for all disputes that are ready.

import { capital, el, visible } from "./dom.js";

/** Returns the dialog; `left` are the disputes that it leaves out, each with `why`. */
export function readyDialog(ready, left) {
  const accept = el("button", { type: "button", class: "primary", autofocus: true }, `Choose “Submit” for ${ready.length}`);
  const dialog = el("dialog", { class: "summary", "aria-labelledby": "ready-title" },
    el("h2", { id: "ready-title" }, `Submit all ${ready.length} that are ready`),
    el("p", { class: "quiet" }, "This only makes the choice. Nothing is sent until you respond."),
    left.length ? el("section", { class: "card" }, el("h3", {}, `Left out: ${left.length}`), el("ul", { class: "notes" }, left.map(line))) : null,
    el("div", { class: "buttons" }, el("button", { type: "button", onclick: () => dialog.close() }, "Cancel"), accept));
  accept.addEventListener("click", () => {
    for (const { choices, dispute } of ready) choices.choose(dispute, { action: "submit" });
    dialog.close();
  });
  return dialog;
}

function line({ dispute, why }) {
  return el("li", {}, el("strong", {}, capital(dispute.money)), " ", el("code", {}, visible(dispute.dispute)), ` ${why.join("; ")}`);
}
