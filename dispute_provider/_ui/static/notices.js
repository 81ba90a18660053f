// Notices above the place: what happened while the page was open.

import { el, readable } from "./dom.js";

export const notices = el("div", { class: "notices", role: "status" });

/** Shows a notice instead of an earlier one with the same id; without buttons, it can be dismissed. */
export function say(tone, text, id = text, ...buttons) {
  unsay(id);
  const notice = el("div", { class: `notice ${tone}` }, el("p", {}, readable(text)), buttons,
    buttons.length ? null : el("button", { type: "button", "aria-label": "Dismiss", onclick: () => notice.remove() }, "×"));
  notice.dataset.id = id;
  notices.append(notice);
}

export function unsay(id) {
  for (const notice of [...notices.children]) if (notice.dataset.id === id) notice.remove();
}

/** Opens a dialog, which is removed once it is closed. */
export function openDialog(dialog, closed = () => {}) {
  document.body.append(dialog);
  dialog.showModal();
  dialog.addEventListener("close", () => { dialog.remove(); closed(dialog.returnValue); });
}
