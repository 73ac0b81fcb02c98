// The ring in motion: timers that deplete, messages on their ways, the line that somebody draws across.
//
// A message is a mark on its way, and a label as long as that covers nothing (etcd_labels.js).
//
// Two ways to place a message, as on the map: exact (paused, in the past, 1/100 and slower), where its place is a function of the virtual clock and
// of nothing else; and told (faster), where a hop of a millisecond would be over before anyone saw it, so it is shown for as long as the eye needs.
// In: the model that the server put into the page, "flight" events of the feed. Everything is drawn in the ring's own units.

import { clock, now, on, past } from "./feed.js";
import { address } from "./flights.js";
import { cutApart, choose } from "./etcd_acts.js";
import { call } from "./control.js";
import { setClock } from "./feed.js";
import { svg } from "./captions.js";
import { arrange, label } from "./etcd_labels.js";
import { span, t } from "./words.js";

const EXACT = 0.01;
const GAP = 54;
const LANE = 10;
const MOST = 24;
const PICTURE_MS = 28;
const LANDED_MS = 250;
const LOST_MS = 2200;
const LOST_MOST = 8;
const reduced = matchMedia("(prefers-reduced-motion: reduce)");
const screen = document.documentElement.dataset.theme === "screen";
const HOP_MS = screen ? 1300 : 800;
const LETTER = screen ? 14.6 : 9.8;

let live = null;
let model = null;
let places = new Map();
let timers = new Map();
let notesAt = [];
let known = new Map();
let movers = new Map();
let order = 0;
let frame = 0;
let refresh = null;
let heard = false;

export const facts = () => model;

export function start(where, again) {
  live = where;
  refresh = again;
  known = new Map();
  for (const one of movers.values()) one.node.remove();
  movers = new Map();
  patched();
  const ring = live.querySelector(".ring");
  drawing(ring);
  notes(ring);
  if (heard) return;
  heard = true;
  on("flight", flight);
  on("clock", () => wake());
  on("frame", () => wake());
  reduced.addEventListener("change", () => wake());
  document.addEventListener("visibilitychange", () => wake());
}

const exact = () => clock.paused || past() || (typeof clock.rate === "number" && clock.rate <= EXACT);
const key = (one) => `${one.src}>${one.dst}@${one.arriveMicros}`;

// The page was read anew: the model is the truth, what the feed told meanwhile is added to it.
export function patched() {
  const holder = live.querySelector("[data-part=facts]");
  model = JSON.parse(holder.dataset.model);
  places = new Map(model.members.map((one) => [one.id, one]));
  notesAt = [...live.querySelectorAll(".way-note")].map((text) => ({ x: Number(text.getAttribute("x")), y: Number(text.getAttribute("y")) - 6, w: (text.textContent.length * LETTER) / 2, h: 10 }));
  timers = new Map(model.members.filter((one) => one.timerEndMicros != null).map((one) => [one.id, { start: one.timerStartMicros, end: one.timerEndMicros }]));
  const told = new Map(model.flights.map((one) => [key(one), one]));
  for (const [name, one] of known) {
    // On its way by the feed, but not by the model of this instant or a later one: it was lost, moved, or arrived.
    if (!told.has(name) && (one.sentMicros ?? 0) <= model.nowMicros) known.delete(name);
  }
  for (const [name, one] of told) known.set(name, { ...known.get(name), ...one });
  wake();
}

function flight(one) {
  if (!places.has(one.src) || !places.has(one.dst) || one.src === one.dst || !/^Msg/.test(one.kind)) return;
  const count = /^MsgApp (\d+)$/.exec(one.label);
  if (count) one.count = Number(count[1]);
  // A follower that hears its leader winds its timer up again; a leader that beats, too.
  if (!one.dropped && /^Msg(Heartbeat|App|Snap)$/.test(one.kind)) {
    wind(one.dst, one.arriveMicros);
    if (one.kind === "MsgHeartbeat") wind(one.src, one.sentMicros);
  }
  // Who is of another cluster does not take it: it ends where that begins.
  if (!one.dropped && places.get(one.src).party !== places.get(one.dst).party) one.dropped = t("e.othercluster");
  if (one.dropped) return void (document.hidden || lost(one));
  known.set(key(one), one);
  if (known.size > 600) known.delete(known.keys().next().value);
  if (!document.hidden && !exact()) tellOf(one);
  wake();
}

const winding = [];

function wind(id, at) {
  const timer = timers.get(id);
  if (timer) winding.push({ id, at });
}

// ---- the loop ----------------------------------------------------------------------------------------------------------

function wake() {
  if (!frame && live && !document.hidden) frame = requestAnimationFrame(turn);
}

function turn() {
  frame = 0;
  if (!live.isConnected) return;
  // Thirty pictures a second: a drawing is painted as a whole, and what moves here is slow.
  if (performance.now() - painted < PICTURE_MS) return wake();
  painted = performance.now();
  const here = now();
  tick(here);
  if (exact()) reconcile(here);
  const wall = performance.now();
  let moving = false;
  for (const one of [...movers.values()]) moving = put(one, here, wall) || moving;
  arrange([...movers.values()].filter((one) => one.tag), { members: model.members, notes: notesAt, first: pointed ?? document.activeElement?.dataset.msg });
  count();
  // While only timers run, twenty pictures a second are enough.
  if (moving) wake();
  else if (!clock.paused && !resting) resting = setTimeout(() => ((resting = 0), wake()), 50);
}

let resting = 0;
let painted = 0;
let ticked = 0;

function tick(here) {
  for (let i = winding.length - 1; i >= 0; i -= 1) {
    const { id, at } = winding[i];
    if (at > here) continue;
    winding.splice(i, 1);
    const timer = timers.get(id);
    if (timer && at > timer.start) timers.set(id, { start: at, end: at + timer.end - timer.start });
  }
  if (winding.length > 400) winding.splice(0, 200);
  const wall = performance.now();
  if (wall - ticked < 33) return;
  ticked = wall;
  for (const arc of live.querySelectorAll("[data-timer]")) {
    const timer = timers.get(arc.dataset.timer);
    if (!timer) continue;
    const left = Math.min(Math.max((timer.end - here) / Math.max(timer.end - timer.start, 1), 0), 1);
    const dash = `${(left * 100).toFixed(1)} 100`;
    if (arc.getAttribute("stroke-dasharray") !== dash) arc.setAttribute("stroke-dasharray", dash);
  }
}

// Exact: what is shown is what is on its way, no more and no less.
function reconcile(here) {
  const wanted = [...known.values()].filter((one) => (one.sentMicros ?? 0) <= here && one.arriveMicros > here);
  wanted.sort((a, b) => beat(a) - beat(b) || a.arriveMicros - b.arriveMicros);
  const keep = new Set(wanted.slice(0, MOST * 2).map(key));
  for (const [name, one] of movers) {
    if (one.lost || keep.has(name)) continue;
    if (one.told || clock.paused) drop(name);
    else if (!one.landed) one.landed = performance.now();
  }
  for (const one of wanted.slice(0, MOST * 2)) {
    const old = movers.get(key(one));
    if (!old) enter(one, {});
    else if (old.one !== one) {
      old.one = one;
      write(old);
    }
  }
  for (const [name, one] of known) if (one.arriveMicros < here - 1e6) known.delete(name);
}

function tellOf(one) {
  if (reduced.matches && beat(one)) return;
  const line = `${one.src}>${one.dst}`;
  let same = 0;
  for (const other of movers.values()) if (`${other.one.src}>${other.one.dst}` === line && beat(other.one) === beat(one)) same += 1;
  if (same || movers.size >= MOST) return;
  enter(one, { told: performance.now() });
}

function lost(one) {
  const name = `lost ${one.src}>${one.dst}`;
  let many = 0;
  for (const other of movers.values()) many += other.lost ? 1 : 0;
  if (movers.has(name) || many >= LOST_MOST || movers.size >= MOST) return;
  enter(one, { told: performance.now(), lost: true }, name);
}

function enter(one, more, name = key(one)) {
  if (movers.has(name)) drop(name);
  const node = svg("g", { class: "msg", "data-msg": name, role: "button", tabindex: clock.paused ? "0" : "-1" });
  const mover = { one, node, ...more };
  if (reduced.matches && more.told) mover.order = order += 1;
  write(mover);
  movers.set(name, mover);
  put(mover, now(), performance.now()); // before it is seen: a mark without a place would stand in the corner
  const layer = live.querySelector("[data-flights]");
  if (beat(one)) layer.prepend(node);
  else layer.append(node);
}

// What is on its way without room for a label is counted in a corner: which words stand behind the marks.
function count() {
  const bare = new Map();
  for (const one of movers.values()) if (one.bare) bare.set(word(one.one), 0);
  for (const one of movers.values()) if (one.tag && bare.has(word(one.one))) bare.set(word(one.one), bare.get(word(one.one)) + 1);
  const box = live.querySelector("[data-aloft]");
  const told = [...bare].map(([words, n]) => `▸ ${words} ×${n}`).join("\n");
  if (!box || box.dataset.told === told) return;
  box.dataset.told = told;
  box.replaceChildren(...told.split("\n").map((line) => element("span", "", line)));
}

function drop(name) {
  movers.get(name)?.node.remove();
  movers.delete(name);
}

const beat = (one) => /^MsgHeartbeat/.test(one.kind);

// What is written on a message.
function word(one) {
  const yes = one.reject ? " ✗" : " ✓";
  switch (one.kind) {
    case "MsgApp":
      return one.count ? `App +${one.count}` : "App";
    case "MsgAppResp":
      return `App${yes}`;
    case "MsgVote":
      return "Vote?";
    case "MsgVoteResp":
      return `Vote${yes}`;
    case "MsgPreVote":
      return "Pre?";
    case "MsgPreVoteResp":
      return `Pre${yes}`;
    case "MsgTimeoutNow":
      return "Now!";
    case "MsgReadIndex":
      return "Read?";
    case "MsgReadIndexResp":
      return "Read ✓";
    default:
      return one.kind.slice(3, 10);
  }
}

function write(mover) {
  const { one, node } = mover;
  const answer = /Resp$/.test(one.kind);
  node.setAttribute("class", `msg${beat(one) ? " beat" : ""}${answer ? " answer" : ""}${one.reject ? " no" : ""}${mover.lost ? " lost" : ""}`);
  node.setAttribute("aria-label", t("e.msg", one));
  node.setAttribute("tabindex", clock.paused ? "0" : "-1");
  const parts = [svg("circle", { r: 13, fill: "transparent", class: "hit" })];
  const [a, b] = [places.get(one.src), places.get(one.dst)];
  const turned = ((Math.atan2(b.y - a.y, b.x - a.x) * 180) / Math.PI).toFixed(0);
  // What is lost ends at a bar across its way.
  const bar = (room) => (mover.lost ? [svg("path", { class: "wallbar", d: `M${room.toFixed(0)} -11V11`, transform: `rotate(${turned})` })] : []);
  if (beat(one)) parts.push(svg("circle", { r: screen ? 7 : 5 }), ...bar(12));
  else {
    const text = (mover.order ? `${mover.order} ` : "") + word(one);
    const [w, h] = [(text.length * LETTER + 8) / 2, screen ? 16 : 11];
    const right = b.x > a.x || (b.x === a.x && b.y > a.y);
    const d = right ? `M${-w} ${-h}H${w}L${w + 9} 0L${w} ${h}H${-w}Z` : `M${w} ${-h}H${-w}L${-w - 9} 0L${-w} ${h}H${w}Z`;
    const long = 14 + Math.abs(Math.cos((turned * Math.PI) / 180)) * w;
    mover.size = { w: w + 9, h };
    mover.mark = svg("g", { class: "mark" }, svg("path", { d: "M-7 -6.5L9 0L-7 6.5Z", transform: `rotate(${turned})` }), ...bar(14));
    mover.tag = svg("g", { class: "tag" }, svg("path", { d }), svg("text", { "text-anchor": "middle", y: screen ? 9 : 5 }, text), ...bar(long));
    mover.bare = null;
    label(mover, true);
    parts.push(mover.mark, mover.tag);
  }
  node.replaceChildren(...parts);
}

// Write one mover's place; whether it will be elsewhere next time.
function put(mover, here, wall) {
  const { one, node } = mover;
  const [a, b] = [places.get(one.src), places.get(one.dst)];
  const name = node.dataset.msg;
  if (!a || !b) return drop(name), false;
  let part;
  if (mover.told) {
    part = (wall - mover.told) / HOP_MS;
    const last = mover.lost ? LOST_MS / HOP_MS : 1;
    if (part >= Math.max(last, 1)) return drop(name), false;
    if (reduced.matches) part = 0.5;
    if (mover.lost) part = Math.min(part, 0.55);
  } else {
    const sent = one.sentMicros ?? one.arriveMicros - 1000;
    part = (here - sent) / Math.max(one.arriveMicros - sent, 1);
    if (mover.landed && wall - mover.landed > LANDED_MS) return drop(name), false;
    if (reduced.matches && !clock.paused) part = 0.5;
  }
  part = Math.min(Math.max(part, 0), 1);
  const [dx, dy] = [b.x - a.x, b.y - a.y];
  const length = Math.hypot(dx, dy) || 1;
  const [ux, uy] = [dx / length, dy / length];
  // Out and home have a lane each, so that they pass beside one another.
  const [from, to] = [GAP * a.scale, GAP * b.scale];
  const along = from + (length - from - to) * part;
  mover.x = a.x + ux * along - uy * LANE;
  mover.y = a.y + uy * along + ux * LANE;
  node.setAttribute("transform", `translate(${mover.x.toFixed(1)} ${mover.y.toFixed(1)})`);
  return true;
}

// ---- what a message says: on hover and focus; clicked while the clock stands, what may be done to it ----------------------

let note = null;
let pointed = null;

function notes(ring) {
  const over = (event) => {
    const node = event.target.closest?.(".msg");
    if (node && event.type === "pointerover") pointed = node.dataset.msg;
    if (node && !note?.pinned) open(node, false);
    wake();
  };
  ring.addEventListener("pointerover", over);
  ring.addEventListener("focusin", over);
  ring.addEventListener("pointerout", (event) => {
    if (!event.target.closest?.(".msg")) return;
    pointed = null;
    if (!note?.pinned) close();
  });
  ring.addEventListener("click", async (event) => {
    const node = event.target.closest?.(".msg");
    if (node) pin(node.dataset.msg);
  });
  ring.addEventListener("keydown", (event) => {
    const node = event.target.closest?.(".msg");
    if (!node || (event.key !== "Enter" && event.key !== " ")) return;
    event.preventDefault();
    event.stopPropagation();
    pin(node.dataset.msg);
  });
}

async function pin(name) {
  const mover = movers.get(name);
  if (!mover) return;
  if (!clock.paused && !past()) {
    setClock(await call("PATCH", "/clock", { paused: true }).catch(() => ({})));
    await refresh();
  }
  const node = movers.get(name)?.node ?? mover.node;
  open(node, true, mover.one);
}

function close() {
  note?.box.remove();
  note = null;
}

function open(node, pinned, fallback) {
  close();
  const one = movers.get(node.dataset.msg)?.one ?? fallback;
  if (!one) return;
  const exactly = known.get(key(one)) ?? one;
  const box = element("div", `msg-note${pinned ? "" : " is-hint"}`);
  box.append(element("strong", "", t("e.msg", exactly)));
  const facts = [`term ${exactly.term ?? ""}`];
  if (/^Msg(App|Vote|PreVote)$/.test(exactly.kind) && exactly.index != null) facts.push(`logTerm ${exactly.logTerm}`, `index ${exactly.index}`);
  if (/^Msg(AppResp|ReadIndexResp)$/.test(exactly.kind) && exactly.index != null) facts.push(`index ${exactly.index}`);
  if (/^Msg(App|Heartbeat)$/.test(exactly.kind) && exactly.commit != null) facts.push(`commit ${exactly.commit}`);
  if (exactly.reject) facts.push(`reject, hint ${exactly.rejectHint ?? ""}`);
  if (exactly.snapshot) facts.push(`snapshot ${exactly.snapshot[0]}`);
  if (exactly.term != null) box.append(element("p", "mono", facts.join(" · ")));
  for (const [index, term, text] of (exactly.entries ?? []).slice(0, 4)) box.append(element("p", "mono", `${index} · ${term} · ${text.length > 90 ? `${text.slice(0, 90)}…` : text}`));
  const left = exactly.arriveMicros - now();
  if (left > 0 && !exactly.dropped) box.append(element("p", "second", t("e.msg.arrives", { left: span(left) })));
  if (exactly.dropped) box.append(element("p", "second", t("flight.lost", { ...exactly, why: exactly.dropped })));
  if (pinned) {
    const row = element("p", "acts");
    if (exactly.sequence && !past()) for (const [op, words] of [["deliver", "e.deliver"], ["delay", "e.delayit"], ["drop", "e.dropit"]]) row.append(button(t(words), () => {
      close();
      choose({ sequence: exactly.sequence, op, said: t("e.msg", exactly) });
    }));
    if (exactly.cause) {
      const link = element("a", "button", t("e.trace"));
      link.href = address(exactly.cause);
      row.append(link);
    }
    row.append(button(t("e.close"), () => {
      close();
      node.focus({ preventScroll: true });
    }));
    box.append(row);
    box.addEventListener("keydown", (event) => event.key === "Escape" && (event.stopPropagation(), close(), node.focus({ preventScroll: true })));
  }
  const side = live.querySelector(".ring-side");
  side.append(box);
  const [frame, at, size] = [side.getBoundingClientRect(), node.getBoundingClientRect(), box.getBoundingClientRect()];
  const below = at.bottom - frame.top + 8;
  box.style.left = `${Math.max(0, Math.min(at.left - frame.left - size.width / 2, frame.width - size.width))}px`;
  box.style.top = `${below + size.height > frame.height ? Math.max(0, at.top - frame.top - size.height - 8) : below}px`;
  note = { box, pinned };
  if (pinned) box.querySelector("button, a")?.focus({ preventScroll: true });
}

function element(name, className, text = "") {
  const node = document.createElement(name);
  node.className = className;
  if (text) node.textContent = text;
  return node;
}

function button(words, press) {
  const node = element("button", "", words);
  node.type = "button";
  node.addEventListener("click", press);
  return node;
}

// ---- a partition drawn with the pointer: a line across the ring, whoever is on either side --------------------------------

const LEAST = 60;

function drawing(ring) {
  let from = null;
  const layer = () => ring.querySelector("[data-drawn]");
  const at = (event) => {
    const point = new DOMPoint(event.clientX, event.clientY).matrixTransform(ring.getScreenCTM().inverse());
    return [point.x, point.y];
  };
  // A press on the ground begins a line, not a focus.
  ring.addEventListener("mousedown", (event) => event.target.closest(".member, .msg") || event.preventDefault());
  ring.addEventListener("pointerdown", (event) => {
    if (event.button || event.target.closest(".member, .msg")) return;
    if (note?.pinned) close();
    if (past()) return;
    from = at(event);
    ring.setPointerCapture(event.pointerId);
  });
  ring.addEventListener("pointermove", (event) => {
    if (!from) return;
    const to = at(event);
    const sides = parted(from, to);
    const parts = [svg("line", { x1: from[0], y1: from[1], x2: to[0], y2: to[1] })];
    if (sides) {
      const middle = [(from[0] + to[0]) / 2, (from[1] + to[1]) / 2];
      parts.push(svg("text", { x: middle[0], y: middle[1] - 8, "text-anchor": "middle" }, sides.map((side) => side.length).join(" | ")));
    }
    layer().replaceChildren(...parts);
  });
  const end = (event) => {
    if (!from) return;
    const sides = parted(from, at(event));
    from = null;
    layer().replaceChildren();
    if (sides && event.type === "pointerup") cutApart(...sides);
  };
  ring.addEventListener("pointerup", end);
  ring.addEventListener("pointercancel", end);
}

// Who is left of the line and who is right of it; null while one side is empty.
function parted([x1, y1], [x2, y2]) {
  if (Math.hypot(x2 - x1, y2 - y1) < LEAST) return null;
  const sides = [[], []];
  for (const one of model.members) sides[(x2 - x1) * (one.y - y1) - (y2 - y1) * (one.x - x1) > 0 ? 1 : 0].push(one.id);
  return sides[0].length && sides[1].length ? sides : null;
}
