// The summary before the answers are sent, and the sending: one answer for each review.

import { ACTIONS, answerOf, countAndTotals, reservations, totals } from "./choices.js";
import { el, moment, visible } from "./dom.js";
import { addressOf, ask, respond } from "./server.js";

const WAITING = "awaiting_input";
const ENDS = { cleared: "the review was cleared.", failed: "the review failed.", success: "the review has ended." };
// States in which Airflow has accepted the answer and the task has not moved on yet.
const MOVING = [WAITING, "scheduled", "queued", "running", "restarting", "up_for_retry", "up_for_reschedule"];
const ASK_AGAIN = 1500;
const PATIENCE = 180_000;
// A small Airflow answers 500 while its database is locked.
const SENDS = 3;

const pause = (milliseconds) => new Promise((resume) => setTimeout(resume, milliseconds));
const plural = (count, word) => `${count} ${word}${count === 1 ? "" : "s"}`;

/** Shows the summary; resolves once it is closed. `answered` is called with each review that moved on. */
export function openSummary(desk, answered) {
  const reviews = desk.reviews.filter((review) => review.may_answer && review.disputes.some((dispute) => review.choices.of(dispute)));
  const cards = reviews.map((review) => card(desk, review));
  const send = el("button", { type: "button", class: "primary" });
  const cancel = el("button", { type: "button", onclick: () => dialog.close() }, "Back to review");
  const dialog = el("dialog", { class: "summary", "aria-labelledby": "summary-title" },
    el("h2", { id: "summary-title" }, "Respond"),
    el("p", { class: "quiet" }, "Your answers are sent to Airflow one review at a time. Submissions and concessions cannot be undone."),
    cards.length ? cards.map(({ element }) => element) : el("p", {}, "Nothing is decided yet."),
    el("div", { class: "buttons" }, cancel, send));
  const label = () => {
    const chosen = cards.filter(({ box }) => box.checked).length;
    send.textContent = chosen ? `Respond to ${plural(chosen, "review")}`
      : cards.some(({ box }) => !box.disabled) ? "Select a review to respond to" : "No review to respond to";
    send.disabled = !chosen;
  };
  for (const { box } of cards) box.addEventListener("change", label);
  // A review that ends while the summary is open takes no answer.
  for (const { review, box, result } of cards) {
    review.ended = (why) => {
      box.checked = false;
      box.disabled = true;
      tell(result, "bad", `Not sent: ${why} Your choices are kept.`);
      label();
    };
  }
  label();
  send.addEventListener("click", async () => {
    send.disabled = true;
    cancel.disabled = true;
    for (const { box, review } of cards) {
      box.disabled = true;
      review.ended = null;
      review.sending = box.checked;
    }
    const chosen = cards.filter(({ box }) => box.checked);
    // One answer is sent after the other; their tasks then move on at the same time.
    const following = [];
    for (const each of chosen) {
      const report = (tone, text) => tell(each.result, tone, text);
      const sent = await answer(desk, each.review, report);
      following.push(Promise.resolve(sent && followUp(each.review, report)).then((done) => {
        each.review.sending = false;
        if (done) answered(each.review);
        return Boolean(done);
      }));
    }
    const failed = (await Promise.all(following)).filter((done) => !done).length;
    cancel.disabled = false;
    cancel.textContent = failed ? "Back to review" : "Close";
    send.hidden = true;
    if (!failed) dialog.close("answered");
  });
  // The keys that opened the summary send the answers; held down, they only open it.
  dialog.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey) || event.repeat) return;
    event.preventDefault();
    send.click();
  });
  // While an answer is being sent, its result must not be closed.
  dialog.addEventListener("cancel", (event) => cancel.disabled && event.preventDefault());
  document.body.append(dialog);
  dialog.showModal();
  return new Promise((resume) => dialog.addEventListener("close", () => { dialog.remove(); resume(dialog.returnValue); }));
}

function tell(result, tone, text) {
  result.className = `result ${tone}`;
  result.replaceChildren(...visible(text));
}

function card(desk, review) {
  const { choices } = review;
  const by = Object.fromEntries(Object.keys(ACTIONS).map((action) => [action,
    review.disputes.filter((dispute) => choices.isDecided(dispute) && choices.of(dispute).action === action)]));
  const undecided = review.disputes.filter((dispute) => !choices.isDecided(dispute));
  const box = el("input", { type: "checkbox", checked: undecided.length === 0 });
  const result = el("p", { class: "result", role: "status" });
  const first = review.disputes.map((dispute) => dispute.due).filter(Boolean).sort()[0];
  const note = el("textarea", { rows: 2, maxlength: 2000, placeholder: "Optional. Stored with your answer.", oninput: ({ target }) => choices.change(() => { choices.note = target.value; }) });
  note.value = choices.note;
  const names = (disputes) => disputes.map((dispute) => dispute.dispute).join(", ");
  const rows = Object.entries(by).filter(([, disputes]) => disputes.length).map(([action, disputes]) =>
    el("div", {}, el("dt", {}, el("span", { class: `chip ${ACTIONS[action].tone}` }, ACTIONS[action].done)),
      el("dd", {}, plural(disputes.length, "dispute")), el("dd", { class: "sum" }, totals(disputes))));
  const unopened = by.submit.filter((dispute) => !choices.opened[dispute.key]);
  const doubtful = new Map();
  for (const dispute of by.submit)
    for (const why of reservations(dispute)) doubtful.set(why, [...(doubtful.get(why) ?? []), dispute]);
  const warnings = [
    by.concede.length ? ["bad", `Conceded permanently: ${names(by.concede)}`] : null,
    undecided.length ? ["attention", `Not decided, so held: ${names(undecided)}`] : null,
    unopened.length ? ["attention", `Never opened: ${names(unopened)}`] : null,
    ...[...doubtful].map(([why, disputes]) => ["", `${why[0].toUpperCase()}${why.slice(1)}: ${names(disputes)}`]),
  ].filter(Boolean);
  const element = el("section", { class: "card" },
    el("label", { class: "pick" }, box, el("strong", {}, first ? ["Due ", moment(first)] : "No due date"),
      el("span", { class: "quiet" }, countAndTotals(review.disputes))),
    el("dl", { class: "counts" }, rows),
    warnings.length ? el("ul", { class: "notes" }, warnings.map(([tone, text]) => el("li", { class: tone }, visible(text)))) : null,
    el("label", { class: "field" }, "Note", note),
    result);
  return { review, box, result, element };
}

const keeping = (report) => (text) => report("bad", `${text} Your choices are kept.`);

/** Sends the answer to a review, again after an error within Airflow; returns whether Airflow has it. */
async function answer(desk, review, report) {
  const kept = keeping(report);
  for (let left = SENDS; ; left -= 1) {
    const form = await settledForm(review, report);
    // After an error, the form shows whether the answer was stored nevertheless.
    if (left < SENDS && form.answered_by?.id === review.user.id) return true;
    const why = form.problem ?? changed(review, form);
    if (why) return kept(`Not sent: ${why}`);
    report("", "Sending…");
    try {
      const sent = await respond(review, answerOf(review, review.choices, desk.none));
      if (sent.status === 200) return true;
      if (sent.status === 401) return kept("Not sent: your session has expired. Log in to Airflow in another tab and try again.");
      if (sent.status < 500 || left === 1) return kept(`Airflow refused the answer: ${sent.reason}`);
    } catch (problem) {
      return kept(`It is not known whether the answer arrived: ${problem.message} Refresh to see the review's state.`);
    }
    report("", "Airflow could not store the answer. Trying again…");
    await pause(ASK_AGAIN);
  }
}

/** Returns a review's form once it can take an answer. */
async function settledForm(review, report) {
  report("", "Checking that the review is unchanged…");
  let form = await formOf(review);
  for (; form.ready_in > 0 && !changed(review, form); form = await formOf(review)) {
    report("", "The review has just opened. Waiting a few seconds…");
    await pause(form.ready_in * 1000 + 200);
  }
  return form;
}

/** Returns whether the review's task moved on with its answer. */
async function followUp(review, report) {
  const kept = keeping(report);
  report("", "Airflow has the answer. Waiting for the task to move on…");
  for (const until = Date.now() + PATIENCE; Date.now() < until; await pause(ASK_AGAIN)) {
    const form = await formOf(review);
    if (form.id === null) return kept("The review was deleted at the same moment, so the answer is lost. Nothing was sent to the bank.");
    if (form.problem) continue;
    if (form.id !== review.id) return kept("The review was cleared at the same moment, so the answer is lost. Nothing was sent to the bank.");
    if (MOVING.includes(form.state)) continue;
    if (form.state !== "success") return kept(`The review's task ended as ${form.state ?? "cleared"}.`);
    const problem = await differences(review).catch(({ message }) => `How the review decided cannot be read: ${message}`);
    if (problem) return kept(problem);
    report("good", "Answered.");
    return true;
  }
  return report("attention", "Airflow has the answer, but the task has not moved on yet. Look under Answered.");
}

/** Returns how the review's decisions differ from the choices; null if they are the same. */
async function differences(review) {
  const { choices } = review;
  const { disputes } = await ask(`${addressOf(review)}`);
  const found = new Map(disputes.map((dispute) => [dispute.dispute, dispute]));
  const others = review.disputes.filter((dispute) => {
    const action = choices.isDecided(dispute) ? choices.of(dispute).action : "hold";
    const expected = { submit: "approved", concede: "approved", hold: "held", edit: "held", reject: "rejected" }[action];
    return found.get(dispute.dispute)?.state !== expected;
  });
  if (!others.length) return null;
  const { dispute, reason } = found.get(others[0].dispute) ?? { dispute: others[0].dispute, reason: "it is missing" };
  return `The review decided differently about ${plural(others.length, "dispute")}. ${dispute}: ${reason}`;
}

/** Returns what an answer must match now; its id is null if the review was deleted, and a problem says why it is unknown. */
async function formOf(review) {
  try {
    return await ask(`${addressOf(review)}/form`);
  } catch (problem) {
    if (problem.status === 404) return { id: null, problem: "the review was deleted." };
    return { problem: problem.status === 401 ? "your session has expired. Log in to Airflow in another tab and try again." : problem.message };
  }
}

/** Returns why a review no longer takes an answer; null if it does, or if nobody knows. */
export async function whyEnded(review) {
  const form = await formOf(review);
  if (form.id === null) return form.problem;
  return form.problem ? null : changed(review, form);
}

function changed(review, form) {
  if (form.id !== review.id || form.try_number !== review.try_number) return "the review was opened again, and its evidence may have changed.";
  if (form.answered_by) return form.answered_by.id === review.user.id ? "you answered it in another window." : `${form.answered_by.name ?? "someone else"} answered it.`;
  return form.state === WAITING ? null : (ENDS[form.state ?? "cleared"] ?? "the review does not wait for an answer any more.");
}
