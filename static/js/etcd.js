// The etcd page, live: the members' part of the page is read anew when something changed, and while timers run.
// What has the focus keeps it; parts that did not change are not touched. The ring's motion is etcd_ring.js's, what one does is etcd_acts.js's.

import { clock, on, past } from "./feed.js";
import * as acts from "./etcd_acts.js";
import * as ring from "./etcd_ring.js";

const LEAST_MS = 300;
const CALM_MS = 700;

let busy = null;
let due = 0;
let paused = clock.paused;
let wanted = ""; // the index of an entry that was asked for and is not shown yet

export function start() {
  if (!show()) return; // nothing is known yet; app.js asks again
  for (const kind of ["raft", "process", "host", "network", "link", "lab", "back"]) on(kind, soon);
  on("clock", () => {
    if (paused !== clock.paused) soon();
    paused = clock.paused;
  });
  document.addEventListener("acted", () => refresh());
  setInterval(() => document.hidden || clock.paused || past() || refresh(), CALM_MS);
}

// Another moment is shown: other members' parts, which an earlier moment does not change any more.
export const moved = show;

const members = () => document.querySelector("[data-live]");

function show() {
  const live = members();
  if (!live) return false;
  newest(live);
  strips(live);
  panels(live);
  ring.start(live, refresh);
  acts.start(live, { refresh, facts: ring.facts });
  seek();
  return true;
}

function newest(live) {
  const logs = live.querySelector("[data-part=logs]");
  if (logs) logs.scrollLeft = logs.scrollWidth;
}

function soon() {
  if (due || past()) return;
  due = setTimeout(() => {
    due = 0;
    refresh();
  }, LEAST_MS);
}

// One reading at a time; who asks meanwhile gets the next.
export async function refresh() {
  if (busy) await busy;
  busy ??= read();
  await busy;
}

async function read() {
  const [live, moment] = [members(), location.search];
  try {
    const address = new URLSearchParams(location.search);
    address.set("part", "live");
    const answer = await fetch(`?${address}`, { headers: { "HX-Request": "true" } });
    const text = answer.ok ? await answer.text() : "";
    if (text && live === members() && moment === location.search) patch(live, text);
  } catch {
    // The strip at the top says that the connection is lost.
  } finally {
    busy = null;
  }
}

function patch(live, html) {
  const fresh = new DOMParser().parseFromString(`<div>${html}</div>`, "text/html");
  const focus = document.activeElement;
  const { key, member, cell } = focus?.dataset ?? {};
  const inPanel = focus?.matches(".panel") ?? false;
  for (const part of live.querySelectorAll("[data-part]")) {
    const other = fresh.querySelector(`[data-part="${part.dataset.part}"]`);
    if (other) put(part, other, focus);
  }
  ring.patched();
  seek();
  if (!live.contains(focus)) {
    const again = key ? live.querySelector(`[data-key="${CSS.escape(key)}"]`) ?? acts.after(live, key) : cell ? at(live, cell) : member ? live.querySelector(`[data-member="${CSS.escape(member)}"]`) : inPanel ? live.querySelector(".panel") : null;
    if (cell && again) rove(live, again);
    again?.focus({ preventScroll: true });
  }
  // The sentence is of the model that was drawn just now.
  const [said, line] = [live.querySelector("[data-part=caption]")?.textContent, document.querySelector("[data-caption-now]")];
  if (line && said !== undefined && line.textContent !== said) line.textContent = said;
}

// Forms that are being filled in.
const FORMS = ["[data-add-member]", "[data-keys-form]", "[data-restore]", "[data-upload]"].map((form) => `${form}:not([data-sent])`).join();
const changed = (one) => one.matches("input:not([type=hidden])") && (one.value !== one.defaultValue || one.checked !== one.defaultChecked);

function put(part, other, focus) {
  if (part.dataset.part === "facts") {
    part.dataset.model = other.dataset.model;
    return;
  }
  const box = part.dataset.part === "panel" ? part.querySelector(".panel") : part;
  if (part.innerHTML === other.innerHTML && part.dataset.panel === other.dataset.panel) return;
  const same = part.dataset.panel === other.dataset.panel;
  // Who fills in a form is not disturbed, until it is sent.
  if (same && part.contains(focus) && focus.closest(FORMS)) return;
  const end = part.scrollLeft + part.clientWidth >= part.scrollWidth - 40;
  const [left, top] = [part.scrollLeft, box.scrollTop];
  const open = new Set([...part.querySelectorAll("details[open] > summary[data-key]")].map((one) => one.dataset.key));
  const shut = new Set([...part.querySelectorAll("details:not([open]) > summary[data-key]")].map((one) => one.dataset.key));
  const typed = [...part.querySelectorAll(FORMS)].flatMap((form) => [...form.elements]).filter(changed);
  const checked = new Set([...part.querySelectorAll("input:checked")].map((one) => one.dataset.key));
  part.replaceChildren(...[...other.childNodes].map((node) => document.adoptNode(node)));
  if (other.dataset.panel) part.dataset.panel = other.dataset.panel;
  part.scrollLeft = end && part.dataset.part === "logs" ? part.scrollWidth : left;
  if (!same) return;
  const now = part.querySelector(".panel") ?? part;
  if (box !== part) now.scrollTop = top;
  for (const one of part.querySelectorAll("details > summary[data-key]")) if (open.has(one.dataset.key)) one.parentElement.open = true;
  else if (shut.has(one.dataset.key)) one.parentElement.open = false;
  for (const old of typed) {
    const fresh = part.querySelector(`input[data-key="${CSS.escape(old.dataset.key ?? "")}"]`);
    if (fresh) [fresh.value, fresh.checked] = [old.value, old.checked];
  }
  for (const one of part.querySelectorAll("input[type=radio][data-key]")) if (checked.size) one.checked = checked.has(one.dataset.key);
}

// ---- panels: links that change what is beside the ring, without leaving the page ------------------------------------------

export function open(panel, more = {}) {
  const there = new URL(location.href);
  there.searchParams.set("tab", panel);
  for (const [name, value] of Object.entries(more)) {
    if (value) there.searchParams.set(name, value);
    else there.searchParams.delete(name);
  }
  history.replaceState(history.state, "", there);
  return refresh();
}

function panels(live) {
  live.addEventListener("click", (event) => {
    const link = event.target.closest?.("a[data-tab], a[data-until], a[data-tab-link]");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    wanted = "";
    const there = new URL(location.href);
    if ("until" in link.dataset) {
      if (link.dataset.until) there.searchParams.set("until", link.dataset.until);
      else there.searchParams.delete("until");
    } else if (link.dataset.tab) there.searchParams.set("tab", link.dataset.tab);
    else there.search = new URL(link.href).search;
    history.replaceState(history.state, "", there);
    refresh();
  });
  live.addEventListener("submit", (event) => {
    if (!event.target.matches("[data-keys-form]")) return;
    event.preventDefault();
    const form = new FormData(event.target);
    event.target.dataset.sent = "";
    open("keys", { prefix: form.get("prefix"), rev: form.get("rev"), key: "" });
  });
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
    } else if (event.key === "Enter") entry(live, here);
  });
  live.addEventListener("pointerover", (event) => tell(live, event.target.closest?.("[data-cell]")));
  live.addEventListener("focusin", (event) => tell(live, event.target.closest?.("[data-cell]")));
  live.addEventListener("click", (event) => {
    const here = event.target.closest?.("[data-cell]");
    if (!here) return;
    rove(live, here);
    here.focus();
    entry(live, here);
  });
}

function tell(live, cell) {
  const line = live.querySelector("[data-entry-line]");
  if (cell && line.textContent !== cell.getAttribute("aria-label")) line.textContent = cell.getAttribute("aria-label");
}

// A cell opens the entry that it holds, in whichever reading brings it: the first may fail, or come when the page has been drawn anew.
async function entry(live, cell) {
  wanted = cell.dataset.cell.split(":")[1];
  if (live.querySelector("[data-part=panel]").dataset.panel === "entries") seek();
  else await open("entries");
}

function seek() {
  const found = wanted && members()?.querySelector(`[data-entry="${CSS.escape(wanted)}"]`);
  if (!found) return;
  wanted = "";
  found.open = true;
  found.scrollIntoView({ block: "nearest" });
}
