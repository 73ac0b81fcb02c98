// The etcd page, live: the members' part of the page is read anew when something changed, and twice a second while timers run.
// What has the focus keeps it; parts that did not change are not touched.

import { clock, on, past } from "./feed.js";

const LEAST_MS = 300;
const CALM_MS = 700;

let busy = false;
let due = 0;

export function start() {
  if (!show()) return; // nothing is known yet; app.js asks again
  on("raft", soon);
  on("process", soon);
  on("host", soon);
  on("back", soon);
  document.addEventListener("acted", soon);
  setInterval(() => document.hidden || clock.paused || refresh(), CALM_MS);
}

// Another moment is shown: other members' parts, which an earlier moment does not change any more.
export const moved = show;

const members = () => document.querySelector("[data-live]");

function show() {
  const live = members();
  if (!live) return false;
  const logs = live.querySelector("[data-part=logs]");
  if (logs) logs.scrollLeft = logs.scrollWidth;
  strips(live);
  return true;
}

function soon() {
  if (due || past()) return;
  due = setTimeout(() => {
    due = 0;
    refresh();
  }, LEAST_MS);
}

async function refresh() {
  const [live, moment] = [members(), location.search];
  if (busy) return;
  busy = true;
  try {
    const address = new URLSearchParams(location.search);
    address.set("part", "logs");
    const answer = await fetch(`?${address}`, { headers: { "HX-Request": "true" } });
    const text = answer.ok ? await answer.text() : "";
    if (text && live === members() && moment === location.search) patch(live, text);
  } catch {
    // The strip at the top says that the connection is lost.
  } finally {
    busy = false;
  }
}

function patch(live, html) {
  const fresh = new DOMParser().parseFromString(`<div>${html}</div>`, "text/html");
  const focus = document.activeElement;
  const key = focus?.dataset?.key;
  const member = focus?.dataset?.member;
  const cell = focus?.dataset?.cell;
  const opened = new Set([...live.querySelectorAll("[data-entry][open]")].map((entry) => entry.dataset.entry));
  for (const part of live.querySelectorAll("[data-part]")) {
    const other = fresh.querySelector(`[data-part="${part.dataset.part}"]`);
    if (!other || part.dataset.part === "legend") continue;
    // Newest entries are at the right: who looks there stays there.
    const end = part.scrollLeft + part.clientWidth >= part.scrollWidth - 40;
    const scroll = part.scrollLeft;
    if (part.innerHTML !== other.innerHTML) {
      part.replaceChildren(...[...other.childNodes].map((node) => document.adoptNode(node)));
      part.scrollLeft = end ? part.scrollWidth : scroll;
      for (const entry of part.querySelectorAll("[data-entry]")) entry.open = opened.has(entry.dataset.entry);
    }
  }
  if (!live.contains(focus)) {
    const again = key ? live.querySelector(`[data-key="${CSS.escape(key)}"]`) : cell ? at(live, cell) : member ? live.querySelector(`[data-member="${CSS.escape(member)}"]`) : null;
    if (cell && again) rove(live, again);
    again?.focus({ preventScroll: true });
  }
}

// ---- the strips by keys: one stop in the tab order, arrows from cell to cell ---------------------------------------------

const at = (live, cell) => live.querySelector(`[data-cell="${CSS.escape(cell)}"]`);

function rove(live, cell) {
  for (const other of live.querySelectorAll('[data-cell][tabindex="0"]')) other.setAttribute("tabindex", "-1");
  cell.setAttribute("tabindex", "0");
}

function strips(live) {
  live.addEventListener("keydown", (event) => {
    const here = event.target.closest?.("[data-cell]");
    if (!here) return;
    const row = [...here.parentElement.querySelectorAll("[data-cell]")];
    const rows = [...live.querySelectorAll(".log-grid > svg")];
    const x = row.indexOf(here);
    const y = rows.indexOf(here.parentElement);
    const beside = (step) => rows[y + step]?.querySelectorAll("[data-cell]")[x];
    const to = { ArrowLeft: row[x - 1], ArrowRight: row[x + 1], ArrowUp: beside(-1), ArrowDown: beside(1), Home: row[0], End: row.at(-1) }[event.key];
    if (to) {
      event.preventDefault();
      rove(live, to);
      to.focus();
    } else if (event.key === "Enter") open(live, here);
  });
  live.addEventListener("focusin", (event) => tell(live, event.target.closest?.("[data-cell]")));
  live.addEventListener("click", (event) => {
    const here = event.target.closest?.("[data-cell]");
    if (!here) return;
    rove(live, here);
    here.focus();
    open(live, here);
  });
}

function tell(live, cell) {
  const line = live.querySelector("[data-entry-line]");
  if (cell && line.textContent !== cell.getAttribute("aria-label")) line.textContent = cell.getAttribute("aria-label");
}

function open(live, cell) {
  const entry = live.querySelector(`[data-entry="${CSS.escape(cell.dataset.cell.split(":")[1])}"]`);
  if (!entry) return;
  entry.open = true;
  entry.scrollIntoView({ block: "nearest" });
}
