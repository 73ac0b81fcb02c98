// Stops: breakpoints on stages, running until something holds, and who is held. Also the caption when the clock stops by itself, and buttons
// anywhere on a page that set a breakpoint:
//
//   <button type="button" data-stop-stage="mutating-admission/ServiceAccount" data-stop-resource="pods">Stop here</button>
//
// Conditions are data-stop-verb, -resource, -namespace, -user, -name (empty: any) and data-stop-system="1". The button says with
// aria-pressed whether there is such a breakpoint; pressing it again takes it away.

import { call } from "./control.js";
import { say } from "./captions.js";
import * as feed from "./feed.js";
import { has, instant, span, t, told } from "./words.js";

const CONDITIONS = ["verb", "resource", "namespace", "user", "name"];
const SUFFIX = { "mutating-admission": "s.plugin", "validating-admission": "s.plugin", append: "s.member", watch: "s.watcher" };

let menu, points = [], held = [], stopped = null, timer = 0;

export function start(part) {
  menu = part;
  const seek = (selector) => menu.querySelector(selector);
  menu.addEventListener("toggle", () => menu.open && read());
  menu.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !menu.open) return;
    event.preventDefault();
    event.stopPropagation();
    menu.open = false;
    seek("summary").focus();
  });
  document.addEventListener("click", (event) => {
    if (menu.open && !menu.contains(event.target) && event.target.isConnected) menu.open = false;
    const here = event.target.closest?.("[data-stop-stage]");
    if (here) toggle(here);
  });
  seek("#stop-stage").addEventListener("change", suffix);
  seek("[data-point-form]").addEventListener("submit", (event) => {
    event.preventDefault();
    add(asked(event.target));
  });
  seek("[data-until-form]").addEventListener("submit", (event) => {
    event.preventDefault();
    until(event.target);
  });
  menu.addEventListener("click", (event) => {
    const deed = event.target.closest("[data-stops-do]")?.dataset.stopsDo;
    if (deed) go(deed);
    const gone = event.target.closest("[data-point]");
    if (gone) remove(gone.dataset.point);
  });
  feed.onLive("frame", (frame) => "stopped" in frame && heard(frame));
  suffix();
  // What stands already when the page is opened: a stopped cluster sends no frame.
  if (document.body.dataset.paused || document.body.dataset.livePaused || document.querySelector("[data-stop-stage]")) read();
  document.addEventListener("htmx:afterSwap", press);
  document.addEventListener("moved", press);
}

// -- what is ---------------------------------------------------------------------------------------------------------------

async function read() {
  try {
    take(await call("GET", "/breakpoints"));
  } catch (error) {
    wrong(error.message);
  }
}

function take(table) {
  points = table.breakpoints ?? [];
  held = table.held ?? [];
  draw();
}

// A frame says that the clock stands, or goes.
function heard(frame) {
  const before = stopped;
  stopped = frame.stopped;
  if (key(before) === key(stopped)) return;
  if (stopped) {
    if (stopped.request) {
      read().then(() => {
        const row = held.find((one) => one.request === stopped?.request);
        if (row) say(t("s.said", { ...row, who: row.user || "?", stage: label(row.stage) }), { outcome: "wait", href: address(row.request) });
      });
    } else if (stopped.until) say(t("s.until", stopped), { outcome: "wait" });
  } else held = [];
  draw();
  document.dispatchEvent(new CustomEvent("stopped", { detail: stopped }));
}

const key = (stop) => (stop ? `${stop.request}/${stop.stage}/${stop.sinceWallMs}` : "");
const address = (id) => `/clusters/${encodeURIComponent(feed.cluster)}/requests/${id}/`;

function label(stage) {
  const [name, ...rest] = stage.split("/");
  const word = has(`stage.${name}`) ? t(`stage.${name}`) : name;
  return rest.length ? `${word} · ${rest.join("/")}` : word;
}

// -- what is drawn ---------------------------------------------------------------------------------------------------------

function draw() {
  menu.querySelector("[data-stops-count]").textContent = held.length ? `· ${t("s.held", { n: held.length })}` : points.length ? `· ${points.length}` : "";
  menu.classList.toggle("is-held", held.length > 0);
  const section = menu.querySelector("[data-held]");
  section.hidden = !held.length && !stopped;
  menu.querySelector("[data-held-rows]").replaceChildren(...(held.length ? held.map(heldRow) : stopped ? [stoppedRow()] : []));
  menu.querySelector("[data-stops-do=stage]").hidden = !(stopped?.request || held.length);
  const table = menu.querySelector("[data-points]");
  table.hidden = points.length === 0;
  menu.querySelector("[data-points-none]").hidden = points.length > 0;
  table.tBodies[0].replaceChildren(...points.map(pointRow));
  const strip = document.querySelector("[data-stopped]");
  if (held.length && strip?.hidden) {
    // The page was opened while somebody was held: no frame has said so yet.
    strip.hidden = false;
    strip.textContent = t("s.who", { who: held[0].user || "?", stage: label(held[0].stage) });
  }
  clearTimeout(timer);
  if (held.length) timer = setTimeout(tick, 1000);
  press();
}

function heldRow(row) {
  const item = element("li", "held-row");
  const link = element("a", "", t("s.who", { who: row.user || row.userAgent || "?", stage: label(row.stage) }));
  link.href = address(row.request);
  item.append(link, element("span", "mono", `${row.method} ${row.path}`), element("span", "second", row.userAgent ?? ""));
  const since = element("span", "second");
  since.dataset.since = row.sinceWallMs;
  since.dataset.at = row.sinceMicros;
  item.append(since);
  age(since);
  return item;
}

function stoppedRow() {
  const item = element("li", "held-row");
  if (stopped.request) {
    const link = element("a", "", `#${stopped.request} · ${label(stopped.stage)}`);
    link.href = address(stopped.request);
    item.append(link);
  } else item.append(element("span", "", stopped.until ? t("s.until", stopped) : t("s.stopped")));
  return item;
}

const age = (node) => (node.textContent = t("s.since", { at: instant(Number(node.dataset.at)), wall: span(Math.max(1, Math.round((Date.now() - node.dataset.since) / 1000)) * 1e6).replace(/\.\d+/, "") }));

function tick() {
  for (const node of menu.querySelectorAll("[data-since]")) age(node);
  timer = held.length ? setTimeout(tick, 1000) : 0;
}

function pointRow(point) {
  const row = document.createElement("tr");
  const remove = element("button", "small", t("s.remove"));
  remove.type = "button";
  remove.dataset.point = point.id;
  remove.setAttribute("aria-label", `${t("s.remove")}: ${label(point.stage)}`);
  const cells = [label(point.stage), CONDITIONS.filter((name) => point[name]).map((name) => point[name]).concat(point.system ? t("s.system") : []).join(" · ") || t("s.any"), String(point.hits), remove];
  for (const [n, content] of cells.entries()) {
    const cell = element("td", n === 2 ? "num" : "");
    cell.append(content);
    row.append(cell);
  }
  return row;
}

function element(name, className, text) {
  const node = document.createElement(name);
  if (className) node.className = className;
  if (text !== undefined) node.textContent = text;
  return node;
}

// Buttons of the page that stand for a breakpoint.
function press() {
  for (const here of document.querySelectorAll("[data-stop-stage]")) here.setAttribute("aria-pressed", String(Boolean(find(of(here)))));
}

function of(node) {
  const point = { stage: node.dataset.stopStage };
  for (const name of CONDITIONS) {
    const value = node.dataset[`stop${name[0].toUpperCase()}${name.slice(1)}`];
    if (value) point[name] = value;
  }
  if (node.dataset.stopSystem) point.system = true;
  return point;
}

const same = (a, b) => a.stage === b.stage && CONDITIONS.every((name) => (a[name] ?? "") === (b[name] ?? "")) && Boolean(a.system) === Boolean(b.system);
const find = (point) => points.find((one) => same(one, point));

// -- what is done ----------------------------------------------------------------------------------------------------------

async function wrong(text) {
  const node = menu.querySelector("[data-stops-wrong]");
  const { text: words, lang } = text ? await told(text) : { text: "" };
  node.textContent = words;
  if (lang) node.lang = lang;
  else node.removeAttribute("lang");
  if (text) tell("");
}

function tell(text) {
  menu.querySelector("[data-stops-said]").textContent = text;
}

function suffix() {
  const kind = SUFFIX[menu.querySelector("#stop-stage").value];
  menu.querySelector("[data-suffix]").hidden = !kind;
  if (kind) menu.querySelector("[data-suffix-label]").textContent = t(kind);
}

function asked(form) {
  const data = new FormData(form);
  const tail = String(data.get("suffix") ?? "").trim();
  const stage = data.get("stage");
  const point = { stage: tail && SUFFIX[stage] ? `${stage}/${tail}` : stage };
  for (const name of CONDITIONS) if (String(data.get(name) ?? "").trim()) point[name] = String(data.get(name)).trim();
  if (data.get("system")) point.system = true;
  return point;
}

async function attempt(work) {
  wrong("");
  try {
    return await work();
  } catch (error) {
    wrong(error.message);
    return null;
  }
}

async function add(point) {
  const made = await attempt(() => call("POST", "/breakpoints", point));
  if (!made) return null;
  await read();
  tell(t("s.added", { stage: label(point.stage) }));
  return made;
}

async function remove(id) {
  const point = points.find((one) => one.id === id);
  const table = await attempt(() => call("DELETE", `/breakpoints/${id}`));
  if (!table) return;
  take(table);
  if (point) tell(t("s.removed", { stage: label(point.stage) }));
  if (menu.open) menu.querySelector("#stop-stage").focus();
}

async function toggle(here) {
  const known = find(of(here));
  if (known) await remove(known.id);
  else if (!(await add(of(here)))) menu.open = true; // what is wrong is said there
  say(menu.querySelector("[data-stops-said]").textContent || menu.querySelector("[data-stops-wrong]").textContent);
}

async function go(deed) {
  const request = stopped?.request ?? held[0]?.request;
  const answer = await attempt(() => (deed === "resume" ? call("PATCH", "/clock", { paused: false }) : call("POST", "/clock/step", deed === "stage" && request ? { request } : {})));
  if (!answer) return;
  feed.setClock(answer);
  heard(answer);
  await read();
}

async function until(form) {
  const data = new FormData(form);
  const cel = String(data.get("cel")).trim();
  form.cel.setAttribute("aria-invalid", "false");
  tell(t("s.running"));
  const answer = await attempt(() => call("POST", "/clock/until", { cel, limitMicros: Number(data.get("limit")) }));
  if (!answer) return form.cel.setAttribute("aria-invalid", "true");
  feed.setClock(answer);
  const why = answer.because;
  if (answer.reached) tell(why?.name ? t("s.because", { what: `${why.resource} ${why.name}`, revision: why.revision }) : t("s.true"));
  else {
    const reason = /did not become true: (.*)$/.exec(answer.sentence ?? "")?.[1];
    tell(reason ? t("s.why", { why: (await told(reason)).text }) : t("s.false"));
  }
}
