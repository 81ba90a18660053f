// Elements and texts. Whatever strangers wrote becomes a text node here, and never anything else.

/** An element with properties, and children: elements, texts, lists of both; null is left out. */
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

// Controls, formats (among them zero-width and direction characters), line and paragraph separators, what has no
// meaning, selectors of variants, and the letters and patterns that are drawn as nothing.
const HIDDEN =
  /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Co}\p{Cn}\p{Cs}\u{fe00}-\u{fe0f}\u{e0100}-\u{e01ef}\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0]/u;
const PLAIN = /^[\n\t]$/;

/** A text for people: what would be invisible stands there by its code point. */
export function visible(text) {
  const parts = [];
  let plain = "";
  for (const letter of String(text).replaceAll("\r\n", "\n")) {
    if (!HIDDEN.test(letter) || PLAIN.test(letter)) {
      plain += letter;
      continue;
    }
    const code = letter.codePointAt(0).toString(16).toUpperCase().padStart(4, "0");
    parts.push(plain, el("span", { class: "hidden-character", title: "a character that is not seen" }, `U+${code}`));
    plain = "";
  }
  return [...parts, plain].filter((part) => part !== "");
}

/** A name of the API's as people write it. */
export function spoken(name) {
  const words = String(name ?? "").replace(/[_-]+/g, " ").trim();
  return words.charAt(0).toUpperCase() + words.slice(1);
}

const SIZES = [[1_000_000, "MB"], [1000, "kB"]];

export function bytes(size) {
  for (const [unit, name] of SIZES) if (size >= unit) return `${(size / unit).toFixed(1)} ${name}`;
  return `${size} bytes`;
}

const DATE = new Intl.DateTimeFormat("en-GB", {
  weekday: "short", day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit", timeZone: "UTC",
});

/** A moment in UTC; the reader's own time on pointing at it. */
export function moment(iso) {
  const date = new Date(iso);
  if (Number.isNaN(date.valueOf())) return String(iso);
  return el("time", { datetime: iso, title: `${date.toLocaleString()} where you are` }, `${DATE.format(date)} UTC`);
}

/** The time until a moment in two units, ticking; calm until less than two days are left. */
export function timeLeft(iso) {
  const shown = el("span", { class: "left" });
  const tick = () => {
    const seconds = Math.floor((new Date(iso) - Date.now()) / 1000);
    shown.textContent = seconds > 0 ? `${inUnits(seconds)} left` : "time is over";
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
