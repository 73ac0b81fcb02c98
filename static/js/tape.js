// The tape: what happened to this cluster, from an hour to a microsecond. One painted canvas under one slider.
//
// Looking: wheel, + and −, pinch and double click zoom; the strip of terms is dragged to pan, everything below it is dragged to look back, with the
// time at the pointer, and let go to look there. Keys (on the slider): arrows go mark by mark, Shift by ten, Home to the beginning, End to now.
// Each mark is told in words to the slider's reader, and listed in the History sheet.
//
// Marks come from GET …/history/tape for the stretch in view; what the feed tells since then is added here. Nothing is painted while nothing
// changes: the live edge is moved when it is due to move a pixel.

import { call } from "./control.js";
import { cluster, connected, live, now, onLive, past } from "./feed.js";
import { say } from "./captions.js";
import { keysOn } from "./shortcuts.js";
import * as moment from "./moment.js";
import { BRANCH_ROW, HEIGHT, HIT, ROWS, group, look, moment as written, paint, scale } from "./tape_drawing.js";
import { t, what } from "./words.js";

const SPAN = { least: 20, most: 3.6e9, first: 60e6 };
const FRESH = 400;
const LOOK_MS = 220;
const FETCH_MS = 140;
const CALM_MS = 100;
const LONG_AGO = 2 ** 50;

let face, canvas, pen, slider, label, note, width;
let following = true;
let view = { from: 0, to: SPAN.first };
let since = 0;
let marks = [];
let fresh = [];
let terms = [];
let flags = [];
let lines = [];
let heard = false; // until the history has been, the server's word on branches stands
let loaded = null;
let chosen = null;
let preview = null;
let colours = {};
let groups = [];

export function start() {
  face = document.querySelector("[data-tape-face]");
  canvas = face.querySelector("canvas");
  pen = canvas.getContext("2d");
  slider = face.querySelector("[data-tape-slider]");
  label = face.querySelector("[data-tape-label]");
  note = face.querySelector("[data-tape-note]");
  theme();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => (theme(), draw()));
  new ResizeObserver(size).observe(face);
  size();
  view = { from: Math.max(0, now(live) - SPAN.first), to: Math.max(now(live), SPAN.first) };
  if (past()) center(moment.shown());
  hear();
  hands();
  slider.addEventListener("keydown", keys);
  document.addEventListener("keydown", globalKeys);
  document.addEventListener("moved", arrived);
  onLive("clock", move);
  onLive("back", () => load(true));
  document.addEventListener("visibilitychange", move);
  document.addEventListener("history", history);
  history();
  load(true);
  told();
}

// ---- what is known -----------------------------------------------------------------------------------------------------

let loading = 0;
let asked = null;

// Ask for the stretch in view with a margin; again only when the view has left it or has been zoomed into it.
function load(force = false) {
  const span = view.to - view.from;
  const inside = loaded && loaded.from <= Math.max(view.from, 0) && (loaded.to >= view.to || loaded.to >= loaded.edge) && loaded.span <= span * 2.2 && loaded.span >= span / 1.2;
  if (inside && !force) return;
  clearTimeout(loading);
  loading = setTimeout(fetchMarks, force ? 0 : FETCH_MS);
}

async function fetchMarks() {
  asked?.abort();
  const mine = (asked = new AbortController());
  const span = view.to - view.from;
  const from = Math.max(0, Math.floor(view.from - span / 2));
  const to = Math.ceil(view.to + span / 2);
  const edge = now(live);
  try {
    const answer = await call("GET", `/history/tape?from=${from}&to=${to}&width=${Math.max(40, Math.min(400, Math.round(width / 5)))}`, undefined, { signal: mine.signal, live: true });
    terms = answer.terms ?? [];
    marks = (answer.marks ?? []).filter((one) => one.kind !== "mark"); // bookmarks are asked for by themselves, all of them
    loaded = { from, to: answer.toMicros ?? to, span, edge };
    const until = Math.min(answer.toMicros ?? to, answer.nowMicros ?? LONG_AGO);
    fresh = fresh.filter((one) => one.atMicros > until && !marks.some((other) => same(one, other)));
    note.hidden = true;
  } catch (error) {
    if (error.name === "AbortError") return;
    note.hidden = false;
    note.textContent = t("tape.failed");
  }
  draw();
}

async function history() {
  try {
    const [told, set] = await Promise.all([call("GET", "/history", undefined, { live: true }), call("GET", "/bookmarks", undefined, { live: true })]);
    since = told.sinceMicros ?? 0;
    heard = true;
    lines = (told.branches ?? []).map((one) => ({ ...one, atMicros: one.atMicros ?? one.nowMicros ?? Number(one.at) })).filter((one) => Number.isFinite(one.atMicros));
    if (told.parent) lines.unshift({ ...told.parent, parent: true, atMicros: told.parent.atMicros ?? told.parent.nowMicros ?? (Number(told.parent.at) || 0) });
    flags = (set.bookmarks ?? set).map((one) => ({ atMicros: one.nowMicros ?? Number(one.at), at: one.at, kind: "mark", label: one.name, id: one.id }));
    size();
  } catch {
    // Without them the tape has no branches and no flags; the History sheet says why.
  }
}

const same = (a, b) => a.kind === b.kind && (a.request ? a.request === b.request : a.atMicros === b.atMicros && a.label === b.label);

function add(mark) {
  if (marks.some((one) => same(one, mark)) || fresh.some((one) => same(one, mark))) return;
  fresh.push(mark);
  if (fresh.length > FRESH) fresh.shift();
  soon();
}

// What the feed tells while the page is open, in the shape of the server's marks.
function hear() {
  const phases = new Map();
  onLive("request", (event) => {
    const mine = event.outside && !event.initiator;
    if (mine || ["deny", "error", "throttle"].includes(event.outcome)) add({ atMicros: event.startMicros, kind: "request", outcome: event.outcome, request: event.id, label: `${event.code || "…"} ${event.verb} ${what(event)}` });
  });
  onLive("raft", (event) => {
    if (event.role !== "leader" || terms.some((one) => one[1] === event.term)) return;
    const at = event.atMicros ?? now(live);
    terms.push([at, event.term, event.member]);
    add({ atMicros: at, kind: "election", label: event.member });
  });
  const down = (event) => !event.up && add({ atMicros: event.atMicros ?? now(live), kind: "fault", label: event.name });
  onLive("process", down);
  onLive("host", down);
  onLive("lab", (event) => add({ atMicros: event.atMicros ?? now(live), kind: "fault", label: event.label }));
  onLive("object", (event) => {
    if (event.resource !== "pods") return;
    const key = event.uid || event.name;
    const atMicros = event.atMicros ?? live.nowMicros;
    if (event.type === "DELETED") {
      phases.delete(key);
      add({ atMicros, kind: "death", label: event.name });
    } else if (event.type === "ADDED" && !phases.has(key)) {
      phases.set(key, true);
      add({ atMicros, kind: "birth", label: event.name });
    }
  });
}

// ---- painting ----------------------------------------------------------------------------------------------------------

function theme() {
  const style = getComputedStyle(face);
  for (const role of ["ink", "ink2", "ink3", "edge", "rule", "live", "allow", "deny", "wait", "raft", "change", "mono"]) colours[role] = style.getPropertyValue(`--${role}`).trim();
  colours.ground = style.backgroundColor;
}

function size() {
  width = face.clientWidth;
  if (heard) face.classList.toggle("has-branches", lines.length > 0);
  const height = HEIGHT + (face.classList.contains("has-branches") ? BRANCH_ROW : 0);
  const ratio = devicePixelRatio || 1;
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  draw();
}

let frame = 0;
let painted = 0;
let next = 0;

// What the cluster does is painted ten times a second at most; what a hand does, in the next frame.
function soon() {
  if (live.paused) return draw();
  next ||= setTimeout(() => ((next = 0), draw()), Math.max(0, painted + CALM_MS - performance.now()));
  return undefined;
}

function draw() {
  frame ||= requestAnimationFrame(() => {
    frame = 0;
    painted = performance.now();
    if (!width) return;
    pen.font = `12px ${colours.mono}`;
    const all = known();
    groups = group(all, view, width);
    const { x } = scale(view, width);
    const branches = lines
      .map((one) => {
        const words = one.parent ? t("tape.from", { cluster: one.cluster }) : one.cluster;
        return { ...one, words, wide: pen.measureText(words).width, x: Math.min(Math.max(x(one.atMicros), 4), width - 12) };
      })
      .filter((one) => one.parent || x(one.atMicros) < width)
      .sort((a, b) => a.x - b.x);
    branches.forEach((one, i) => (one.right = i + 1 < branches.length ? branches[i + 1].x - 6 : undefined));
    shownBranches = branches;
    paint(pen, { view, edge: now(live), since, terms, groups, branches, playhead: past() ? moment.shown() : null, preview, chosen }, width, canvas.height, colours);
  });
}

let shownBranches = [];

export const known = () => [...marks, ...fresh, ...flags].sort((a, b) => a.atMicros - b.atMicros);
export const inView = () => known().filter((one) => one.atMicros >= view.from && one.atMicros <= view.to);

// The live edge moves a pixel at a time, and only while the clock runs and somebody can see it.
let due = 0;

function move() {
  clearTimeout(due);
  due = 0;
  if (document.hidden) return;
  if (following && !dragging) {
    const edge = now(live);
    const span = view.to - view.from;
    if (edge > view.to) view = { from: edge - span, to: edge };
    load();
  }
  soon();
  if (live.paused || !connected) return;
  const rate = typeof live.rate === "number" ? live.rate : 10;
  const { perPixel } = scale(view, width || 800);
  const edge = now(live);
  if (!following && (edge < view.from || edge > view.to)) return;
  due = setTimeout(move, Math.min(Math.max(perPixel / (rate * 1000), 50), 30_000));
}

function center(at) {
  const span = view.to - view.from;
  const border = 16 * scale(view, width || 800).perPixel;
  if (at >= view.from + border && at <= view.to - border) return;
  following = false;
  set(at - span / 2, at + span / 2);
}

function set(from, to) {
  const span = Math.min(Math.max(to - from, SPAN.least), Math.max(SPAN.most, now(live) * 1.05));
  const middle = (from + to) / 2;
  const least = -span * 0.05;
  let left = middle - span / 2;
  const edge = now(live);
  left = Math.max(Math.min(left, edge - span * 0.2), least);
  view = { from: left, to: left + span };
  following = !past() && edge >= view.from && edge <= view.to + span * 0.02;
  load();
  move();
}

function zoom(by, around) {
  const span = view.to - view.from;
  const next = Math.min(Math.max(span * by, SPAN.least), Math.max(SPAN.most, now(live) * 1.05));
  const edge = now(live);
  const at = around ?? (past() ? moment.shown() : edge <= view.to && edge >= view.from ? edge : (view.from + view.to) / 2);
  const part = (at - view.from) / span;
  set(at - part * next, at + (1 - part) * next);
}

const all = () => set(since, Math.max(now(live), since + SPAN.first));

// The page shows another moment.
function arrived() {
  preview = null;
  theme();
  if (past()) center(moment.shown());
  else {
    chosen = null;
    const span = view.to - view.from;
    following = true;
    if (now(live) > view.to || now(live) < view.from) set(now(live) - span, now(live));
  }
  told();
  move();
}

// ---- words -------------------------------------------------------------------------------------------------------------

export function name(mark) {
  const kind = mark.kind === "request" ? t(`tape.request.${mark.outcome ?? "allow"}`) : t(mark.kind === "mark" ? "tape.mark.flag" : `tape.${mark.kind}`);
  const words = t("tape.mark", { kind, label: mark.label ?? "" }).trim();
  return mark.count > 1 ? t("tape.more", { mark: words, n: mark.count }) : words;
}

function told() {
  const at = preview ?? (past() ? moment.shown() : now(live));
  slider.setAttribute("aria-valuemax", String(Math.floor(now(live))));
  slider.setAttribute("aria-valuemin", String(Math.floor(since)));
  slider.setAttribute("aria-valuenow", String(Math.floor(at)));
  const time = written(at, figures());
  const words = chosen ? `${name(chosen)}, ${time}` : past() || preview != null ? time : t("tape.live");
  slider.setAttribute("aria-valuetext", words);
}

// Milliseconds, and microseconds when a pixel is less than one.
const figures = () => Math.min(scale(view, width || 800).perPixel * 2, 1000);

function show(at, words) {
  const { x } = scale(view, width);
  label.hidden = false;
  label.textContent = words;
  const wide = label.offsetWidth;
  label.style.left = `${Math.min(Math.max(x(at) - wide / 2, 0), width - wide)}px`;
}

const hide = () => (label.hidden = true);

// ---- pointer -----------------------------------------------------------------------------------------------------------

let dragging = null;
const fingers = new Map();

function hands() {
  const where = (event) => event.clientX - canvas.getBoundingClientRect().left;
  const down = (event) => event.clientY - canvas.getBoundingClientRect().top;

  slider.addEventListener("wheel", (event) => {
    event.preventDefault();
    const sideways = event.shiftKey ? event.deltaY : event.deltaX;
    const { perPixel, at } = scale(view, width);
    if (Math.abs(sideways) > Math.abs(event.shiftKey ? 0 : event.deltaY)) set(view.from + sideways * perPixel, view.to + sideways * perPixel);
    else zoom(1.0022 ** Math.max(Math.min(event.deltaY, 240), -240), following && at(where(event)) > now(live) - 40 * perPixel ? now(live) : at(where(event)));
  }, { passive: false });

  slider.addEventListener("pointerdown", (event) => {
    if (event.button > 1) return;
    slider.setPointerCapture(event.pointerId);
    fingers.set(event.pointerId, where(event));
    if (fingers.size === 2) {
      const [a, b] = [...fingers.values()];
      dragging = { pinch: Math.max(Math.abs(a - b), 10), view: { ...view }, middle: scale(view, width).at((a + b) / 2) };
      preview = null;
      hide();
      return;
    }
    dragging = { x: where(event), y: down(event), view: { ...view }, pan: down(event) < ROWS.bands || event.button === 1, far: false };
  });

  slider.addEventListener("pointermove", (event) => {
    if (fingers.has(event.pointerId)) fingers.set(event.pointerId, where(event));
    if (!dragging) return hover(where(event), down(event));
    if (dragging.pinch) {
      if (fingers.size < 2) return undefined;
      const [a, b] = [...fingers.values()];
      const span = ((dragging.view.to - dragging.view.from) * dragging.pinch) / Math.max(Math.abs(a - b), 10);
      const part = (a + b) / 2 / width;
      return set(dragging.middle - part * span, dragging.middle + (1 - part) * span);
    }
    if (Math.abs(where(event) - dragging.x) > 4) dragging.far = true;
    if (!dragging.far) return undefined;
    if (dragging.pan) {
      const { perPixel } = scale(dragging.view, width);
      const by = (dragging.x - where(event)) * perPixel;
      slider.classList.add("is-panning");
      return set(dragging.view.from + by, dragging.view.to + by);
    }
    following = false;
    scrub(where(event));
    return undefined;
  });

  const up = (event) => {
    const was = dragging;
    fingers.delete(event.pointerId);
    slider.classList.remove("is-panning");
    if (!was || (was.pinch && fingers.size)) return;
    dragging = null;
    if (event.type === "pointercancel" || was.pinch || (was.far && was.pan)) return clear();
    if (was.far) return go(preview);
    click(where(event), down(event));
  };
  slider.addEventListener("pointerup", up);
  slider.addEventListener("pointercancel", up);
  slider.addEventListener("pointerleave", () => dragging || hide());
  slider.addEventListener("dblclick", (event) => zoom(0.25, scale(view, width).at(where(event))));
  document.querySelector(".tape-tools").addEventListener("click", (event) => {
    const deed = event.target.closest("[data-tape-do]")?.dataset.tapeDo;
    ({ in: () => zoom(0.5), out: () => zoom(2), all })[deed]?.();
  });
}

function clear() {
  preview = null;
  hide();
  move();
}

// The mark under the pointer: at least 24 px wide and as high as its lane.
export function hit(x, y) {
  let best = null;
  for (const one of groups) {
    const wide = Math.max(HIT / 2, 8);
    const left = one.count > 1 ? 34 : wide;
    if (x < one.x - left || x > one.x + wide || Math.abs(y - one.y) > HIT / 2) continue;
    const far = Math.abs(one.x - x) + Math.abs(one.y - y) / 2;
    if (!best || far < best.far) best = { far, one };
  }
  return best?.one ?? null;
}

const branchAt = (x, y) => (y > HEIGHT ? shownBranches.findLast((one) => x >= one.x - HIT / 2 && x <= one.x + one.wide + HIT) : null);

function hover(x, y) {
  const branch = branchAt(x, y);
  const over = hit(x, y);
  const { at } = scale(view, width);
  slider.classList.toggle("is-over", Boolean(over || branch));
  slider.classList.toggle("can-pan", y < ROWS.bands);
  if (branch) return show(branch.atMicros, branch.parent ? t("tape.parent", branch) : t("tape.branch", branch));
  if (over) return show(over.top.atMicros, over.marks.length > 1 ? t("tape.more", { mark: name({ ...over.top, count: 1 }), n: over.count }) : `${name(over.top)} · ${written(over.top.atMicros, figures())}`);
  const micros = at(x);
  if (micros < 0 || micros > now(live) || y < ROWS.bands) return hide();
  return show(micros, written(micros, figures()));
}

function scrub(x) {
  const { at, perPixel } = scale(view, width);
  // At the border the tape comes along.
  if (x < 16 || x > width - 4) {
    const by = (x < 16 ? x - 16 : x - width + 4) * perPixel * 0.25;
    set(view.from + by, view.to + by);
    following = false;
  }
  preview = Math.min(Math.max(at(x), since), now(live));
  const near = scale(view, width).x(now(live)) - x < 6;
  show(preview, near ? t("tape.live") : written(preview, figures()));
  told();
  draw();
}

function click(x, y) {
  const branch = branchAt(x, y);
  if (branch) {
    location.assign(branch.parent ? `/clusters/${encodeURIComponent(branch.cluster)}/?at=${encodeURIComponent(branch.at)}` : `/clusters/${encodeURIComponent(branch.cluster)}/`);
    return;
  }
  const over = hit(x, y);
  const { at, perPixel } = scale(view, width);
  if (over?.marks.length > 1 && over.marks.some((one) => Math.abs(one.atMicros - over.top.atMicros) > 1)) {
    // A counted mark opens up before it is gone to.
    const times = over.marks.map((one) => one.atMicros);
    const [first, last] = [Math.min(...times), Math.max(...times)];
    const room = Math.max((last - first) * 1.6, perPixel * 10);
    set((first + last) / 2 - room / 2, (first + last) / 2 + room / 2);
    return;
  }
  if (over) choose(over.top, true);
  else if (y >= ROWS.bands && scale(view, width).x(now(live)) - x < 6) go(now(live));
  else if (y >= ROWS.bands && at(x) >= 0) go(at(x));
}

// ---- going there -------------------------------------------------------------------------------------------------------

let waiting = 0;

// To an instant; at the live edge, to now.
function go(micros, exact = "") {
  clearTimeout(waiting);
  const edge = now(live);
  if (micros >= edge - scale(view, width).perPixel * 6 && !exact) {
    preview = null;
    hide();
    if (past()) moment.look("");
    else {
      following = true;
      set(edge - (view.to - view.from), edge);
    }
    return;
  }
  preview = Math.max(micros, since);
  draw();
  moment.look(exact || String(Math.max(0, Math.floor(preview)))).then(() => hide());
}

// To a mark, which is told; a little later, so that a held key does not ask for every one it passes.
function choose(mark, atOnce = false) {
  chosen = mark;
  preview = mark.atMicros;
  if (mark.atMicros < view.from || mark.atMicros > view.to) {
    const span = view.to - view.from;
    following = false;
    set(mark.atMicros - span / 2, mark.atMicros + span / 2);
  }
  show(mark.atMicros, `${name(mark)} · ${written(mark.atMicros, figures())}`);
  told();
  draw();
  clearTimeout(waiting);
  waiting = setTimeout(() => go(mark.atMicros, mark.at || String(mark.atMicros)), atOnce ? 0 : LOOK_MS);
}

export async function neighbour(by, atOnce = false) {
  const here = chosen?.atMicros ?? preview ?? (past() ? moment.shown() : now(live));
  const row = () => known();
  const pick = () => {
    const list = row();
    const index = chosen ? list.findIndex((one) => one === chosen || same(one, chosen)) : -1;
    if (index >= 0) return list[index + by] ?? null;
    const next = by < 0 ? list.filter((one) => one.atMicros < here).at(by) : list.filter((one) => one.atMicros > here)[by - 1];
    return next ?? null;
  };
  let found = pick();
  // Beyond what has been read: the stretch before or after is read first.
  for (let tries = 0; !found && tries < 4 && (by < 0 ? view.from > since : view.to < now(live)); tries += 1) {
    const span = view.to - view.from;
    const way = by < 0 ? -0.9 : 0.9;
    following = false;
    set(view.from + way * span, view.to + way * span);
    clearTimeout(loading);
    await fetchMarks();
    found = pick();
  }
  if (found) return choose(found, atOnce);
  const list = row();
  const end = by < 0 ? list[0] : list.at(-1);
  if (by > 0) return past() ? go(now(live)) : undefined;
  if (Math.abs(by) > 1 && end && end !== chosen) return choose(end, atOnce);
  return say(t("tape.first"), {});
}

function beginning() {
  chosen = null;
  clearTimeout(waiting);
  const span = view.to - view.from;
  following = false;
  set(since - span * 0.04, since + span * 0.96);
  go(since);
}

const SLIDER = {
  ArrowLeft: (event) => neighbour(event.shiftKey ? -10 : -1),
  ArrowRight: (event) => neighbour(event.shiftKey ? 10 : 1),
  ArrowDown: (event) => neighbour(event.shiftKey ? -10 : -1),
  ArrowUp: (event) => neighbour(event.shiftKey ? 10 : 1),
  PageUp: () => neighbour(-10),
  PageDown: () => neighbour(10),
  Home: beginning,
  End: () => ((chosen = null), go(now(live))),
  Enter: () => chosen?.request && location.assign(`/clusters/${encodeURIComponent(cluster)}/requests/${chosen.request}/${past() ? `?at=${encodeURIComponent(moment.at())}` : ""}`),
};

function keys(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const deed = SLIDER[event.key];
  if (!deed) return;
  event.preventDefault();
  event.stopPropagation();
  deed(event);
}

const GLOBAL = { "+": () => zoom(0.5), "=": () => zoom(0.5), "-": () => zoom(2), 0: all, "[": () => neighbour(-1, true), "]": () => neighbour(1, true) };

function globalKeys(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || !keysOn() || event.target.closest("input, select, textarea, [contenteditable], dialog")) return;
  const deed = GLOBAL[event.key];
  if (!deed) return;
  event.preventDefault();
  deed();
}
