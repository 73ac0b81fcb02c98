// The map, live. Every object keeps its slot for its lifetime; a free slot is used again. Names and shapes change in place; where nodes
// are counts, or a line is cut, the server draws anew and the same places hold. In the past nothing is painted live.

import { Flights } from "./flights.js";
import { clock, on } from "./feed.js";
import { say, svg } from "./captions.js";
import * as faults from "./faults.js";
import * as inflight from "./inflight.js";
import * as inspector from "./inspector.js";
import * as keys from "./keys.js";
import * as tools from "./tools.js";
import * as typed from "./typed.js";
import { View } from "./view.js";
import { cut, t } from "./words.js";

const REDRAW_MS = 1500;
const stage = document.querySelector("[data-stage]");
let drawing = document.querySelector("[data-map]");
let view = null;
let flights = null;
let list = null;

// The nodes' side. A crowd of nodes has a script of its own (field.js), loaded when there is one.
const field = {
  kind: "",
  crowd: null,
  async adopt(sheet) {
    this.kind = sheet.querySelector("[data-field]")?.dataset.field ?? "";
    if (this.kind === "grid") this.crowd ??= new (await import("./field.js")).Field(view, stage);
    this.crowd?.adopt(drawing);
  },
  get cells() {
    return this.crowd?.cells ?? null;
  },
  arrow: (thing, name) => field.crowd?.arrow(thing, name) ?? false,
  middle: (thing) => field.crowd?.middle(thing),
  key: (event, thing) => field.crowd?.key(event, thing) ?? false,
};

export function start() {
  if (!drawing) return; // nothing is known yet; app.js asks again
  view = new View(stage);
  flights = new Flights(stage.querySelector("[data-flights]"), view);
  flights.index(drawing);
  field.adopt(drawing);
  inspector.start(stage);
  faults.start(stage);
  keys.start(stage, view, field);
  list = inflight.start(() => flights);
  if (clock.paused) ask();
  typed.start(() => flights, () => drawing);
  tools.start({ stage, view, field, flights, drawing: () => drawing });
  new ResizeObserver(() => later(fitSheet, 250)).observe(stage);
  live();
}

// What is on its way at the moment that the page shows.
async function ask() {
  const answer = await fetch(here({ part: "flights" })).catch(() => null);
  if (answer?.ok) flights.set((await answer.json()).flights);
  list();
}

// Another moment is shown (moment.js): the stage and its tools stay, in it the drawing and what flies over it are those of then.
export const keeps = ["[data-stage]", ".map-tools"];

export function moved([there]) {
  const next = there?.querySelector("[data-map]");
  if (!view || !next) return location.reload();
  adopt(document.adoptNode(next));
  flights.clear();
  list();
  if (clock.paused) ask();
  return undefined;
}

function live() {
  on("request", (event) => flights.mine(event));
  on("flight", (flight) => {
    flights.add(flight);
    if (flight.dropped && flight.cause && !/^Msg/.test(flight.kind)) say(t("flight.lost", { ...flight, why: flight.dropped }), { outcome: "error" });
  });
  let stood = clock.paused;
  on("clock", () => {
    flights.wake();
    if (clock.paused && !stood) ask();
    stood = clock.paused;
  });
  on("object", object);
  on("raft", member);
  on("process", process);
  on("host", host);
  on("link", () => redraw());
  on("network", () => redraw());
}

// This page's address with other parameters.
export function here(parameters) {
  const address = new URL(location.href);
  for (const [name, value] of Object.entries(parameters)) address.searchParams.set(name, value);
  return address.href;
}

const timers = new Map();

function later(work, ms) {
  clearTimeout(timers.get(work));
  timers.set(work, setTimeout(work, ms));
}

// ---- objects -----------------------------------------------------------------------------------------------------------

let summary = 0;

function object(event) {
  if (event.resource === "pods") pod(event);
  else if (event.resource === "nodes") node(event);
  if (["pods", "nodes", "deployments", "services", "endpointslices"].includes(event.resource) && !summary) {
    summary = setTimeout(refresh, 900);
  }
}

async function refresh() {
  const target = document.querySelector("[data-summary]");
  try {
    if (target && !target.contains(document.activeElement)) {
      const answer = await fetch(here({ part: "summary" }));
      if (answer.ok) target.innerHTML = await answer.text();
    }
  } catch {
    // The next change asks again.
  } finally {
    summary = 0;
  }
}

const counted = () => field.kind && field.kind !== "boxes";

function pod(event) {
  const known = drawing.querySelector(`[data-uid="${CSS.escape(event.uid.slice(-8))}"][data-name="${CSS.escape(event.name)}"]`);
  if (event.type === "DELETED") {
    known?.remove();
    if (counted()) redraw();
    return;
  }
  const home = drawing.querySelector(`[data-slots="${CSS.escape(event.node ?? "")}"]`);
  if (!home || !home.dataset.grid) {
    known?.remove();
    if (counted()) redraw();
    return;
  }
  if (known && known.parentElement === home) {
    phase(known, event);
    return;
  }
  known?.remove();
  const slot = free(home);
  if (!slot) {
    redraw();
    return;
  }
  home.append(chip(event, slot));
}

function grid(home) {
  const [x, y, columns, rows, w, h, letters, size] = home.dataset.grid.split(",").map(Number);
  return { x, y, columns, rows, w, h, letters, size };
}

function free(home) {
  const g = grid(home);
  const taken = new Set([...home.children].map((child) => child.getAttribute("transform")));
  for (let i = 0; i < g.columns * g.rows; i += 1) {
    const transform = `translate(${g.x + (i % g.columns) * g.w} ${g.y + Math.floor(i / g.columns) * g.h})`;
    if (!taken.has(transform)) return { ...g, transform };
  }
  return null;
}

function chip(event, slot) {
  const link = svg("a", { transform: slot.transform, tabindex: "-1" });
  const select = `pod:${event.namespace}/${event.name}`;
  link.setAttribute("href", `?select=${encodeURIComponent(select)}`);
  Object.assign(link.dataset, { select, uid: event.uid.slice(-8), name: event.name, namespace: event.namespace, letters: slot.letters });
  link.append(svg("rect", { class: "hit", width: slot.size + 4, height: slot.size + 4 }), svg("use", { x: 1, y: 2, width: slot.size, height: slot.size }));
  if (slot.letters) link.append(svg("text", { class: "podname", x: slot.size + 6, y: slot.size - 1 }, cut(event.name, slot.letters)));
  phase(link, event);
  return link;
}

function phase(link, event) {
  link.setAttribute("class", `pod ${event.phase}${link.classList.contains("is-selected") ? " is-selected" : ""}`);
  link.dataset.phase = event.phase;
  link.querySelector("use").setAttribute("href", `#phase-${event.phase}`);
  link.setAttribute("aria-label", `${event.namespace}/${event.name}, ${t(`phase.${event.phase}`)}`);
}

function node(event) {
  const box = drawing.querySelector(`[data-node="${CSS.escape(event.name)}"]`);
  if (!box || event.type === "DELETED") {
    if (counted() || event.type === "DELETED") redraw();
    return;
  }
  box.classList.toggle("notready", !event.ready);
  const word = event.unschedulable ? "short.cordoned" : event.ready ? "short.ready" : "short.notready";
  const state = box.querySelector("[data-nodestate]");
  const said = "narrow" in state.dataset ? (word === "short.ready" ? "" : "!") : t(word);
  if (state.textContent !== said) {
    state.textContent = said;
    say(t(event.ready ? "node.ready" : "node.notready", event), { outcome: event.ready ? "ok" : "error" });
  }
}

// ---- processes ---------------------------------------------------------------------------------------------------------

const box = (name) => drawing.querySelector(`[data-process="${CSS.escape(name)}"]`);

function member(event) {
  const at = box(event.member);
  if (!at || at.classList.contains("down")) return;
  at.querySelector("[data-role]")?.setAttribute("href", `#role-${event.role}`);
  const term = at.querySelector("[data-term]");
  if (term) term.textContent = event.term;
  const word = at.querySelector("[data-roleword]");
  if (word) word.textContent = { leader: "L", candidate: "C", "pre-candidate": "P" }[event.role] ?? "";
  at.classList.toggle("leads", event.role === "leader");
}

function process(event) {
  const at = box(event.name);
  if (!at) return;
  state(at, event);
  if (at.dataset.kind === "etcd" && !event.up) {
    at.querySelector("[data-role]")?.setAttribute("href", "#role-down");
    at.classList.remove("leads");
  }
  const outline = at.querySelector(".outline");
  for (const sign of at.querySelectorAll(".slash, .pause-sign")) sign.remove();
  const [x, y, w, h] = ["x", "y", "width", "height"].map((key) => Number(outline.getAttribute(key)));
  if (!event.up) at.append(svg("path", { class: "slash", d: `M${x} ${y + h}L${x + w} ${y}` }));
  else if (event.paused) at.append(svg("path", { class: "pause-sign", d: `M${x + w - 12} ${y - 6}v12M${x + w - 6} ${y - 6}v12` }));
}

function host(event) {
  const at = drawing.querySelector(`[data-host="${CSS.escape(event.name)}"]`);
  if (at) state(at, event);
  if (!at || at.dataset.node || counted()) redraw();
}

function state(at, event) {
  at.classList.remove("up", "down", "paused");
  at.classList.add(!event.up ? "down" : event.paused ? "paused" : "up");
}

// ---- drawn anew --------------------------------------------------------------------------------------------------------

let drawnAt = -Infinity;
let busy = false;

// Smaller marks, other counts, a line that is cut: the server draws, and what holds its place stays where it was.
export function redraw() {
  const wait = Math.max(60, drawnAt + REDRAW_MS - performance.now());
  if (!timers.has(fresh)) timers.set(fresh, setTimeout(fresh, wait));
}

function adopt(next, focus = document.activeElement?.closest("[data-map] [data-select]")?.dataset.select) {
  drawing.replaceWith(next);
  drawing = next;
  view.adopt(drawing);
  flights.index(drawing);
  field.adopt(drawing);
  keys.adopt(focus);
  inspector.mark();
  faults.mark();
  typed.show();
  tools.adopt();
}

async function fresh() {
  timers.delete(fresh);
  if (busy || document.hidden) return;
  busy = true;
  drawnAt = performance.now();
  try {
    const place = stage.getBoundingClientRect();
    const answer = await fetch(here({ part: "drawing", ...(fits(place) ? { sheet: sheet(place) } : {}) }));
    if (!answer.ok) return;
    const found = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("[data-map]");
    if (!found) return;
    const was = document.activeElement?.closest("[data-map] a");
    const focus = was?.matches("[data-grid-keys]") ? "grid" : was?.dataset.select;
    adopt(document.adoptNode(found), focus);
  } catch {
    // The next change asks again.
  } finally {
    busy = false;
  }
}

const fits = ({ width, height }) => width >= 500 && height >= 300;
const sheet = ({ width, height }) => `${Math.round(width)}x${Math.round(height)}`;

// A place of another shape than the sheet was drawn for: drawn anew for it, and remembered for the next time.
function fitSheet() {
  const box = stage.getBoundingClientRect();
  if (!fits(box)) return;
  const [w, h] = [box.width, box.height];
  const off = Math.abs(Math.log((drawing.dataset.width / drawing.dataset.height) / (w / h)));
  const larger = Math.max(w / drawing.dataset.width, h / drawing.dataset.height);
  if (!document.querySelector("[data-console][open]")) document.cookie = `sheet=${sheet(box)}; path=/; max-age=31536000; samesite=lax`;
  if (off > 0.06 || larger > 1.12) fresh();
}
