// The HA page, live: the picture and its tables are read anew when a host, a process or a role changed; the checklist is tried again then, and
// every ten seconds while the clock runs. A host is switched off and on as a unit, by button or by keys; undo is a fork in which it did not happen.

import { ask, call } from "./control.js";
import { clock, cluster, on, past } from "./feed.js";
import { say } from "./captions.js";
import { t } from "./words.js";

const LEAST_MS = 400;
const TRY_MS = 10_000;
const TRIES = 6;
const AGAIN_MS = 2000;
const TIMES = { timer: 0, tried: 0 };
const one = (selector, root = document) => root.querySelector(selector);
const all = (selector, root = document) => [...root.querySelectorAll(selector)];
let last = null; // what was done last: {input, host, op}
let doing = "";

export function start() {
  show();
  on("host", (event) => {
    if (doing === event.name && event.input) last = { ...last, input: event.input };
    soon();
  });
  for (const kind of ["process", "raft", "network", "link", "back"]) on(kind, soon);
  setInterval(() => {
    if (document.hidden || past() || clock.paused) return;
    live();
    if (performance.now() - TIMES.tried > TRY_MS) tryAll();
  }, 2000);
  document.addEventListener("click", clicked);
  document.addEventListener("keydown", pressed);
}

export function moved() {
  show();
}

function show() {
  odds();
  one("[data-odds-rate]")?.addEventListener("input", odds);
  one("[data-switch]")?.addEventListener("submit", another);
  for (const box of all("details[data-later]")) box.addEventListener("toggle", () => later(box.dataset.later), { once: true });
  tryAll();
  later("cost");
}

const address = (parts) => {
  const query = new URLSearchParams(location.search);
  for (const [name, value] of Object.entries(parts)) if (value) query.set(name, value);
  return `?${query}`;
};

async function part(parts) {
  const answer = await fetch(address(parts), { headers: { "HX-Request": "true" } }).catch(() => null);
  if (!answer?.ok) return null;
  return new DOMParser().parseFromString(`<div>${await answer.text()}</div>`, "text/html").body.firstElementChild;
}

// A copy of the world takes a moment to be made; on a busy machine more than one.
async function insists(parts) {
  for (let n = 1; ; n++) {
    const fresh = await part(parts);
    if ((fresh && !one("[data-problem]", fresh)) || n === TRIES) return fresh;
    await new Promise((done) => setTimeout(done, AGAIN_MS));
  }
}

async function later(name) {
  const place = one(`[data-part-later="${name}"]`);
  const fresh = place && (await insists({ part: name }));
  if (fresh) place.replaceChildren(...fresh.childNodes);
}

function soon() {
  if (TIMES.timer || past()) return;
  TIMES.timer = setTimeout(() => {
    TIMES.timer = 0;
    live();
    tryAll();
  }, LEAST_MS);
}

let busy = false;

async function live() {
  if (busy) return;
  busy = true;
  const where = location.search;
  const fresh = await part({ part: "live" });
  busy = false;
  if (!fresh || where !== location.search) return;
  const key = document.activeElement?.dataset?.key;
  for (const old of all("[data-live] [data-part]")) {
    const other = one(`[data-part="${old.dataset.part}"]`, fresh);
    if (other && old.innerHTML !== other.innerHTML) old.replaceChildren(...other.childNodes);
  }
  const [line, words] = [one("[data-caption-now]"), one('[data-part="now"]', fresh)?.textContent];
  if (line && words && line.textContent !== words) line.textContent = words;
  if (key && document.activeElement === document.body) one(`[data-live] [data-key="${CSS.escape(key)}"]`)?.focus({ preventScroll: true });
}

// ---- the checklist -----------------------------------------------------------------------------------------------------

let trying = false;
let wanted = false;

async function tryAll() {
  if (trying) {
    wanted = true;
    return;
  }
  trying = true;
  TIMES.tried = performance.now();
  const where = location.search;
  await Promise.all(all("[data-works]").map(async (place) => {
    place.setAttribute("aria-busy", "true");
    const fresh = await insists({ part: "works", of: place.dataset.works });
    if (fresh && where === location.search) {
      const open = new Set(all("details[open]", place).map((box) => box.dataset.entry));
      const head = one("h3", place);
      place.replaceChildren(...(head ? [head] : []), ...fresh.childNodes);
      for (const box of all("details", place)) box.open = open.has(box.dataset.entry);
    }
    place.removeAttribute("aria-busy");
  }));
  trying = false;
  if (wanted) {
    wanted = false;
    tryAll();
  }
}

// ---- hosts, as a unit --------------------------------------------------------------------------------------------------

function clicked(event) {
  const undo = event.target.closest("[data-undo]");
  if (undo) return void back(undo);
  const button = event.target.closest("[data-host-do]");
  if (button) return void act(button.dataset.host, button.dataset.hostDo, button.dataset.of);
  const host = event.target.closest(".ha-picture [role=button][data-host]");
  if (host) act(host.dataset.host, host.dataset.up ? "stop" : "start", host.dataset.of);
}

function pressed(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const host = event.target.closest?.(".ha-picture [role=button][data-host]");
  if (!host) return;
  if (["Enter", " ", "d"].includes(event.key)) {
    event.preventDefault();
    event.stopPropagation();
    act(host.dataset.host, host.dataset.up ? "stop" : "start", host.dataset.of);
  } else if (event.key === "u" && one("[data-undo]")) {
    event.preventDefault();
    back(one("[data-undo]"));
  } else if (["ArrowLeft", "ArrowRight"].includes(event.key)) {
    event.preventDefault();
    event.stopPropagation();
    const hosts = all(".ha-picture [data-host]");
    hosts[hosts.indexOf(host) + (event.key === "ArrowRight" ? 1 : -1)]?.focus();
  }
}

async function act(host, op, of) {
  doing = of ? "" : host;
  last = { host, op, of };
  try {
    await call("POST", `/hosts/${encodeURIComponent(host)}/${op}`, {}, of ? { cluster: of } : {});
    told(t(op === "stop" ? "ha.off" : "ha.on", { host: of ? `${host} (${of})` : host }), !of);
    soon();
  } catch (error) {
    if (!past()) told(t("ha.failed", { why: error.message }), false);
  }
}

function told(words, undo) {
  const line = one("[data-acted-said]");
  line.hidden = false;
  line.replaceChildren(document.createTextNode(words));
  say(words, {});
  if (!undo) return;
  const button = document.createElement("button");
  button.type = "button";
  button.dataset.undo = "";
  button.textContent = t("ha.undo");
  line.append(" ", button);
}

// The branch in which it did not happen, run on to now. Its number is told by the feed.
async function back(button) {
  button.disabled = true;
  button.textContent = t("ha.undoing");
  try {
    for (let n = 0; n < 20 && !last?.input; n++) await new Promise((done) => setTimeout(done, 100));
    const name = `${cluster.slice(0, 28).replace(/-+$/, "")}-undo-${Date.now().toString(36).slice(-5)}`;
    await call("POST", "/fork", { name, without: { input: last.input } });
    location.assign(`/clusters/${encodeURIComponent(name)}/ha/?with=${encodeURIComponent(cluster)}`);
  } catch (error) {
    told(t("ha.failed", { why: error.message }), false);
  }
}

// ---- another layout, the same workload -------------------------------------------------------------------------------------

async function another(event) {
  event.preventDefault();
  const form = event.target;
  const data = new FormData(form);
  const [said, status, button] = [one("[data-said]", form), one("[data-status]", form), one("button", form)];
  const name = data.get("name");
  said.hidden = true;
  status.textContent = t("ha.making", { name });
  button.disabled = true;
  try {
    const body = { name, topology: data.get("topology"), controlPlanes: Number(data.get("controlPlanes")), etcdMembers: Number(data.get("etcdMembers")) };
    const made = await ask("POST", `/api/clusters/${encodeURIComponent(cluster)}/again`, JSON.stringify(body));
    const query = new URLSearchParams(location.search);
    query.delete("at");
    query.set("with", name);
    if (!made.refused.length) return location.assign(`?${query}`);
    // What is missing there is read before one goes on.
    status.textContent = "";
    const list = document.createElement("ul");
    list.append(...made.refused.map((words) => Object.assign(document.createElement("li"), { textContent: words, lang: "en" })));
    const link = Object.assign(document.createElement("a"), { className: "button", href: `?${query}`, textContent: t("ha.beside") });
    said.hidden = false;
    said.replaceChildren(t("ha.refused", { name, copied: made.copied, n: made.refused.length }), list, link);
  } catch (error) {
    said.hidden = false;
    said.textContent = t("ha.failed", { why: error.message });
    status.textContent = "";
    button.disabled = false;
  }
}

// ---- the arithmetic (explainer/fragments/availability.py computes the same) --------------------------------------------------

const choose = (n, k) => (k ? (choose(n, k - 1) * (n - k + 1)) / k : 1);

function atLeast(needed, count, p) {
  let sum = 0;
  for (let up = Math.max(needed, 0); up <= count; up++) sum += choose(count, up) * (1 - p) ** up * p ** (count - up);
  return sum;
}

function controlPlane(shared, servers, members, p) {
  const need = Math.floor((shared + members) / 2) + 1;
  let total = 0;
  for (let both = 0; both <= shared; both++) {
    const chance = choose(shared, both) * (1 - p) ** both * p ** (shared - both);
    total += chance * (both ? 1 : servers ? 1 - p ** servers : 0) * atLeast(need - both, members, p);
  }
  return total;
}

const percent = (share) => `${(100 * Math.max(share, 0)).toPrecision(share < 1e-7 ? 2 : 3).replace(/e.*/, (e) => `·10${[...e.slice(1)].map((c) => ({ "-": "⁻", "+": "" })[c] ?? "⁰¹²³⁴⁵⁶⁷⁸⁹"[c]).join("")}`)} %`;

function year(share) {
  const seconds = share * 365.25 * 86400;
  const [n, unit] = seconds < 60 ? [seconds, "seconds"] : seconds < 3600 ? [seconds / 60, "minutes"] : seconds < 2 * 86400 ? [seconds / 3600, "hours"] : [seconds / 86400, "days"];
  return t(`ha.year.${unit}`, { n: n < 10 ? n.toFixed(1) : Math.round(n) });
}

function odds() {
  const slider = one("[data-odds-rate]");
  if (!slider) return;
  const p = 10 ** Number(slider.value);
  const words = `${(100 * p).toPrecision(2).replace(/\.0$/, "")} %`;
  one("[data-odds-told]").textContent = words;
  slider.setAttribute("aria-valuetext", words);
  for (const row of all("[data-layout]")) {
    const down = 1 - controlPlane(...row.dataset.layout.split(",").map(Number), p);
    one("[data-down]", row).textContent = percent(down);
    one("[data-year]", row).textContent = year(down);
  }
  for (const row of all("[data-size]")) {
    const n = Number(row.dataset.size);
    one("[data-down]", row).textContent = percent(1 - atLeast(Math.floor(n / 2) + 1, n, p));
  }
}
