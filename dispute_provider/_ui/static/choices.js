// A reviewer's choices, kept in the browser for each user and each opening of a review.

const DAYS_KEPT = 14;
const PREFIX = "disputes";

/** The choices that a dispute can have, in the order of the panel. */
export const ACTIONS = {
  submit: { key: "s", label: "Submit", done: "Submit", tone: "good", hint: "Send this evidence to the bank. Evidence can be submitted only once." },
  hold: { key: "h", label: "Hold", done: "Hold", tone: "attention", hint: "Decide later. Nothing is sent." },
  edit: { key: "e", label: "Edit the case", done: "Edit", tone: "attention", hint: "Hold until the case is edited; a new review then opens." },
  reject: { key: "r", label: "Reject", done: "Reject", tone: "bad", hint: "Nothing is sent for this evidence." },
  concede: { key: "c", label: "Concede", done: "Concede", tone: "bad", hint: "Give up the amount permanently. This cannot be undone." },
};

export const placeOf = (review) => [review.dag_id, review.run_id, review.task_id, review.map_index].join("/");

function nameOf(user, review) {
  return `${PREFIX}:${user.id}:${review.id}:${review.try_number}`;
}

function read(name) {
  try {
    const found = JSON.parse(localStorage.getItem(name));
    return found && typeof found.choices === "object" ? found : null;
  } catch {
    return null;
  }
}

/** The choices of one opening of a review. Every change is stored at once. */
export class Choices {
  constructor(user, review) {
    this.name = nameOf(user, review);
    this.place = placeOf(review);
    this.prefix = `${PREFIX}:${user.id}:`;
    this.load();
  }

  /** Reads what is stored, which another window of the browser may have changed. */
  load() {
    const stored = read(this.name) ?? {};
    this.choices = stored.choices ?? {};
    this.opened = stored.opened ?? {};
    this.note = stored.note ?? "";
  }

  of(dispute) {
    return this.choices[dispute.key] ?? null;
  }

  /** Whether the choice needs nothing more: a concession needs its confirmation. */
  isDecided(dispute) {
    const choice = this.of(dispute);
    return Boolean(choice && dispute.entries[choice.action] && (choice.action !== "concede" || isConfirmed(dispute, choice)));
  }

  /** Changes what is stored now, so that what another window has just stored is not lost. */
  change(act) {
    this.load();
    act();
    const { place, choices, opened, note } = this;
    localStorage.setItem(this.name, JSON.stringify({ place, choices, opened, note, at: Date.now() }));
  }

  choose(dispute, choice) {
    this.change(() => {
      if (choice) this.choices[dispute.key] = { ...choice, dispute: dispute.dispute };
      else delete this.choices[dispute.key];
    });
  }

  /** Notes that a dispute was opened, and the digests of its documents. */
  open(dispute, documents) {
    this.change(() => {
      this.opened[dispute.key] ??= Object.fromEntries(documents.map((sha256) => [sha256, { pages: null, seen: [] }]));
    });
  }

  /** Notes that a page of a document was on screen. A document that cannot be shown has 0 pages. */
  see(dispute, sha256, { pages, number }) {
    this.change(() => {
      const document = this.opened[dispute.key]?.[sha256];
      if (!document) return;
      document.pages = pages;
      if (number && !document.seen.includes(number)) document.seen.push(number);
    });
  }

  /** Whether every page of the documents was on screen. */
  isRead(dispute) {
    const documents = this.opened[dispute.key];
    return Boolean(documents) && Object.values(documents).every(({ pages, seen }) => pages !== null && seen.length >= pages);
  }

  forget() {
    localStorage.removeItem(this.name);
    this.load();
  }

  /** Returns choices of earlier openings of this review: what can be restored, and whose evidence has changed. */
  earlier(disputes) {
    const known = new Map(disputes.map((dispute) => [dispute.key, dispute]));
    const found = { names: [], restorable: {}, changed: [], opened: {} };
    for (const name of stored(this.prefix)) {
      const kept = name === this.name ? null : read(name);
      if (kept?.place !== this.place || !Object.keys(kept.choices).length) continue;
      found.names.push(name);
      Object.assign(found.opened, kept.opened);
      for (const [key, choice] of Object.entries(kept.choices)) {
        if (known.has(key)) found.restorable[key] = choice;
        else found.changed.push(choice);
      }
    }
    return found;
  }

  restore({ names, restorable, opened }) {
    this.change(() => {
      this.opened = { ...opened, ...this.opened };
      this.choices = { ...restorable, ...this.choices };
    });
    this.dismiss({ names });
  }

  dismiss({ names }) {
    for (const name of names) localStorage.removeItem(name);
  }
}

export function isConfirmed(dispute, choice) {
  return (choice.confirm ?? "").trim() === dispute.dispute;
}

function stored(prefix) {
  return Array.from({ length: localStorage.length }, (_, index) => localStorage.key(index)).filter((name) => name.startsWith(prefix));
}

/** Removes what nobody has changed for two weeks. */
export function forgetOld() {
  for (const name of stored(`${PREFIX}:`)) {
    const kept = read(name);
    if (kept && Date.now() - kept.at > DAYS_KEPT * 86_400_000) localStorage.removeItem(name);
  }
}

/** Returns why a dispute is not simply ready to submit; empty if it is. */
export function reservations(dispute) {
  const kinds = new Set(dispute.differences.map((each) => each.kind));
  return [
    dispute.entries.submit ? null : "its evidence has changed since the review was opened",
    dispute.verdict === "ready" ? null : VERDICT[dispute.verdict] ?? "it was not assessed",
    dispute.warnings.length ? "it has a warning" : null,
    dispute.undrawn.length ? "a document has no preview" : null,
    ["kept", "foreign", "conflict", "overwritten"].some((kind) => kinds.has(kind)) ? "it involves evidence that is not from the case" : null,
  ].filter(Boolean);
}

const VERDICT = { weak: "the evidence is weak", missing: "the evidence is incomplete", unknown: "it was not assessed" };

/** Returns the answer that Airflow's API takes for the choices about a review. */
export function answerOf(review, choices, none) {
  const params = { ...review.params, note: choices.note };
  const chosen = [];
  const conceded = [];
  for (const dispute of review.disputes) {
    const choice = choices.isDecided(dispute) ? choices.of(dispute) : { action: "hold" };
    const entry = dispute.entries[choice.action];
    if (choice.action === "concede") conceded.push(dispute.dispute);
    if (choice.action === "submit" || !review.multiple) chosen.push(entry);
    else params[choice.action] = [...(params[choice.action] ?? []), choice.action === "hold" ? held(entry, choice) : entry];
    if (!review.multiple && choice.action === "hold" && choice.reason) params.hold_reason = choice.reason;
    if (!review.multiple && choice.action === "hold" && choice.assignee) params.hold_for = choice.assignee;
  }
  if (conceded.length) params.concede_confirm = conceded.join(" ");
  return { chosen_options: chosen.length ? chosen : [none], params_input: params };
}

function held(entry, { reason, assignee }) {
  return reason ? [entry, reason, assignee].filter(Boolean).join(" · ") : entry;
}

/** Returns the total amount per currency: "5,000 JPY + 12.00 USD". */
export function totals(disputes) {
  const sums = new Map();
  for (const { amount, currency, decimals } of disputes)
    if (Number.isInteger(amount) && currency) sums.set(currency, { sum: (sums.get(currency)?.sum ?? 0) + amount, decimals });
  return [...sums].sort().map(([currency, { sum, decimals }]) => money(sum, currency, decimals)).join(" + ");
}

/** Returns how many disputes there are, with their total amount: "2 disputes · 12.00 USD". */
export function countAndTotals(disputes) {
  return [disputes.length === 1 ? "1 dispute" : `${disputes.length} disputes`, totals(disputes)].filter(Boolean).join(" · ");
}

function money(amount, currency, decimals) {
  const number = (amount / 10 ** decimals).toLocaleString("en", { minimumFractionDigits: decimals, maximumFractionDigits: decimals });
  return `${number} ${currency.toUpperCase()}`;
}
