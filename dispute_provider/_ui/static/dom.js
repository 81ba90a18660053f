// Elements and texts. Untrusted text always becomes a text node.

/** Returns an element with properties and children: elements, texts or lists of them; null is left out. */
export function el(name, properties = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (key === "class") made.className = value;
    else made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return made;
}

/** Replaces what an element holds; the keyboard's focus stays on what has the same name. */
export function renew(element, ...children) {
  const focused = element.contains(document.activeElement) ? nameOf(document.activeElement) : null;
  element.replaceChildren(...children);
  if (focused) [...element.querySelectorAll("a, button")].find((each) => nameOf(each) === focused)?.focus();
}

function nameOf(element) {
  return element.getAttribute("aria-label") ?? element.textContent;
}

// Control and format characters (zero-width and direction characters among them), line and paragraph separators,
// unassigned and private characters, variation selectors, and blank letters.
const HIDDEN =
  /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Co}\p{Cn}\p{Cs}\u{fe00}-\u{fe0f}\u{e0100}-\u{e01ef}\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0]/u;
const PLAIN = /^[\n\t]$/;

/** Returns a text with its invisible characters replaced by their code points. */
export function visible(text) {
  const parts = [];
  let plain = "";
  for (const letter of String(text).replaceAll("\r\n", "\n")) {
    if (!HIDDEN.test(letter) || PLAIN.test(letter)) {
      plain += letter;
      continue;
    }
    const code = letter.codePointAt(0).toString(16).toUpperCase().padStart(4, "0");
    parts.push(plain, el("span", { class: "hidden-character", title: "Invisible character" }, `U+${code}`));
    plain = "";
  }
  return [...parts, plain].filter((part) => part !== "");
}

/** Returns a text as the start of a line. */
export function capital(text) {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

const SIZES = [[1_000_000, "MB"], [1000, "kB"]];

export function bytes(size) {
  for (const [unit, name] of SIZES) if (size >= unit) return `${(size / unit).toFixed(1)} ${name}`;
  return `${size} bytes`;
}

const STYLE = { weekday: "short", day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" };
const UTC = new Intl.DateTimeFormat("en-GB", { ...STYLE, year: "numeric", timeZone: "UTC" });

/** Returns the time zone that the user chose in Airflow; undefined, the browser's, if there is none. */
function zone() {
  try {
    const chosen = JSON.parse(localStorage.getItem("timezone"));
    return chosen ? new Intl.DateTimeFormat("en", { timeZone: chosen }).resolvedOptions().timeZone : undefined;
  } catch {
    return undefined;
  }
}

function local(date) {
  const year = date.getFullYear() === new Date().getFullYear() ? {} : { year: "numeric" };
  return new Intl.DateTimeFormat("en-GB", { ...STYLE, ...year, timeZone: zone(), timeZoneName: "short" }).format(date);
}

// Airflow keeps the time zone for all pages of its origin.
addEventListener("storage", ({ key }) => {
  if (key !== "timezone") return;
  for (const shown of document.querySelectorAll("time[datetime]")) shown.textContent = local(new Date(shown.dateTime));
});

/** Returns a time in the user's time zone, with UTC as its tooltip. */
export function moment(iso) {
  const date = new Date(iso);
  if (Number.isNaN(date.valueOf())) return String(iso);
  return el("time", { datetime: iso, title: `${UTC.format(date)} UTC` }, local(date));
}

const IN_UTC = /(\d{4}-\d\d-\d\d) (\d\d:\d\d) UTC/;

/** Returns a reason as shown to people: invisible characters as code points, and times in the user's time zone. */
export function readable(text) {
  text = String(text);
  const found = IN_UTC.exec(text);
  if (!found) return visible(text);
  const [time, day, minute] = found;
  const after = found.index + time.length;
  return [visible(text.slice(0, found.index)), moment(`${day}T${minute}Z`), readable(text.slice(after))];
}

/** Returns a time without its date, in the user's time zone; both are its tooltip. */
export function clock(iso) {
  const date = new Date(iso);
  const text = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", timeZone: zone() }).format(date);
  return el("time", { title: `${local(date)}; ${UTC.format(date)} UTC` }, text);
}

/** Returns a countdown in two units; its color changes two days and six hours before the end. */
export function timeLeft(iso) {
  const shown = el("span", { class: "left" });
  const tick = () => {
    const seconds = Math.floor((new Date(iso) - Date.now()) / 1000);
    shown.textContent = seconds > 0 ? `${inUnits(seconds)} left` : "Overdue";
    shown.dataset.urgency = seconds <= 0 ? "over" : seconds < 6 * 3600 ? "hours" : seconds < 48 * 3600 ? "days" : "calm";
  };
  tick();
  const timer = setInterval(() => (shown.isConnected ? tick() : clearInterval(timer)), 1000);
  return shown;
}

function inUnits(seconds) {
  const units = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];
  const first = units.findIndex(([length]) => seconds >= length);
  return units
    .slice(first, first + 2)
    .map(([length, name], index) => {
      const whole = index === 0 ? seconds : seconds % units[first][0];
      return `${Math.floor(whole / length)} ${name}`;
    })
    .join(" ");
}
