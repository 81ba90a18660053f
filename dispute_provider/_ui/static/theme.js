// Airflow's theme; the frame around this page has the same origin.

export function followTheme() {
  if (parent === window) return;
  const outside = parent.document.documentElement;
  const follow = () => {
    const scheme = getComputedStyle(outside).colorScheme;
    for (const theme of ["light", "dark"]) document.documentElement.classList.toggle(theme, scheme === theme);
  };
  new MutationObserver(follow).observe(outside, { attributes: true, attributeFilter: ["class", "style"] });
  follow();
}

/** Returns a link to a page of Airflow: a plain one would open Airflow inside this frame. */
export function airflowPath(path) {
  const base = parent.document.querySelector("base")?.href ?? new URL("..", location.href).href;
  return new URL(path, base).href;
}

/** Returns whether an address is one of the web: a link to any other could run a script. */
export const isOutside = (address) => /^https?:/.test(address ?? "");

/** Opens an address outside Airflow in a new window: links with a target do nothing in this frame. */
export function openOutside(event, address) {
  event.preventDefault();
  if (isOutside(address)) parent.open(address, "_blank", "noopener,noreferrer");
}

/** Opens a page of Airflow in the window around this frame, or in a new one if a key asks for it. */
export function openAirflow(event, path) {
  event.preventDefault();
  const address = airflowPath(path);
  if (event.ctrlKey || event.metaKey || event.shiftKey || parent === window) parent.open(address, "_blank", "noopener");
  else parent.location.assign(address);
}

/** Returns what follows # in the address of this page. Airflow passes it on from the window's address. */
export function anchor() {
  return decodeURIComponent(location.hash.slice(1));
}

/** Sets it, also in the window's address, so that the address can be kept and shared; with `step`, *Back* returns. */
export function keepAnchor(text, step = false) {
  const own = `${location.pathname}${location.search}${text ? `#${text}` : ""}`;
  if (step) history.pushState(null, "", own);
  else history.replaceState(history.state, "", own);
  if (parent !== window) parent.history.replaceState(parent.history.state, "", airflowPath(`plugin/disputes/dispute-evidence/desk${text ? `#${text}` : ""}`));
}
