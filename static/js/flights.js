// Messages on their way. In: "flight" events (from, to, sent and arrival in virtual micros, cause) and, where the clock stands, the
// server's list of what is on its way. Out: pills that name themselves and travel the drawn lines; ticks for heartbeats.
//
// Two ways to place them:
// * exact: paused, in the past, or at 1/100 and slower, a pill's place is a function of the virtual clock and of nothing else:
//   (now − sent) / (arrival − sent) of its line;
// * told: faster than that a hop of a millisecond would be over before anyone saw it, so the hops of one cause are shown one after the
//   other, each for as long as identity.md says. Simulated time never waits for the screen: a backlog is dropped, not slowed.
//
// At most 24 movers, 3 a line; more become one counted pill. One loop writes transforms and reads no layout. With reduced motion nothing
// moves: the newest hops stand at the middle of their lines with their order number.

import { clock, cluster, now } from "./feed.js";
import { number, sign } from "./typed.js";
import { t } from "./words.js";

const MAX_MOVERS = 24;
const MAX_PER_LINE = 3;
const MAX_TICKS = 10;
const MAX_STILLS = 12;
const BACKLOG_MS = 4500;
const LOSS_MS = 5000;
const LANDED_MS = 300;
const APART = 0.4;
const CALM_MS = 600;
const EXACT = 0.01;
const NAMED = 0.1;
const reduced = matchMedia("(prefers-reduced-motion: reduce)");
const screen = document.documentElement.dataset.theme === "screen";
const HOP_MS = screen ? [1000, 1600] : [600, 1200];

export class Flights {
  constructor(layer, view) {
    this.layer = layer;
    this.view = view;
    this.movers = new Set();
    this.known = new Map();
    this.causes = new Map();
    this.outside = new Set();
    this.named = new Map();
    this.losses = new Map();
    this.order = 0;
    this.frame = 0;
    this.all = false; // heartbeats, too, say what they are
    view.changed(() => this.wake());
    reduced.addEventListener("change", () => this.clear());
  }

  // Which line joins which two processes, and where each process is.
  index(drawing) {
    this.routes = new Map();
    this.places = new Map();
    for (const way of drawing.querySelectorAll("[data-route]")) {
      const points = way.dataset.route.split(" ").map((pair) => pair.split(",").map(Number));
      this.routes.set(`${way.dataset.a}>${way.dataset.b}`, line(points, way));
      this.routes.set(`${way.dataset.b}>${way.dataset.a}`, line([...points].reverse(), way));
      if (way.dataset.a === "nodes") this.places.set("nodes", points[0]);
    }
    for (const box of drawing.querySelectorAll("[data-process]")) {
      const [x, y, w, h] = ["x", "y", "width", "height"].map((name) => Number(box.querySelector(".outline").getAttribute(name)));
      this.places.set(box.dataset.process, [x + w / 2, y + h / 2, x, x + w]);
    }
    for (const mover of [...this.movers]) mover.line = this.route(mover.from, mover.to) ?? mover.line;
    this.wake();
  }

  // Where a process is drawn; the agents of a crowd of nodes share one port.
  place(name) {
    if (this.places.has(name)) return name;
    if (name.startsWith("outside")) return "outside";
    return /^(kubelet|kube-proxy)-node-/.test(name) && this.places.has("nodes") ? "nodes" : null;
  }

  route(a, b) {
    const known = this.routes.get(`${a}>${b}`);
    if (known) return known;
    const [from, to] = [this.places.get(a), this.places.get(b)];
    if (!from || !to) return null;
    // An apiserver that went to another host's member: over the lane between gate and etcd.
    if (from[3] < to[2]) return line([[from[3], from[1]], [from[3] + 26, from[1]], [from[3] + 26, to[1]], [to[2], to[1]]]);
    if (to[3] < from[2]) return line([[from[2], from[1]], [to[3] + 26, from[1]], [to[3] + 26, to[1]], [to[3], to[1]]]);
    return line([[from[0], from[1]], [to[0], from[1]], [to[0], to[1]]]);
  }

  // A request that somebody outside began, or that descends from one: its messages come first.
  mine(event) {
    if (!event.outside) return;
    if (!event.initiator) {
      this.named.set(`${event.method} ${event.path.split("?")[0]}`, event.id);
      if (this.named.size > 60) this.named.delete(this.named.keys().next().value);
    }
    this.outside.add(event.id);
    if (this.outside.size > 600) this.outside.delete(this.outside.values().next().value);
  }

  // Until an apiserver has it a request has no number: its way through the gate is known by its name.
  owned(flight) {
    if (!flight.cause && flight.kind === "HttpRequest") flight.cause = this.named.get(flight.label) ?? 0;
    return Boolean(flight.outside) || this.outside.has(flight.cause) || flight.src.startsWith("outside") || flight.src === "console";
  }

  add(flight) {
    const [a, b] = [this.place(flight.src), this.place(flight.dst)];
    if (!a || !b || a === b || typed(flight)) return;
    const mover = { flight, from: a, to: b, mine: this.owned(flight), line: this.route(a, b) };
    if (!mover.line) return;
    if (!flight.dropped) this.know(flight);
    if (document.hidden) return;
    if (reduced.matches) return void (exact() ? this.wake() : this.still(mover));
    if (exact()) return void (flight.dropped ? this.fly(mover) : this.wake());
    this.fly(mover);
  }

  // What is on its way at this instant, as the server lists it.
  set(list) {
    for (const flight of list) this.know(flight);
    this.wake();
  }

  know(flight) {
    this.known.set(key(flight), flight);
    if (this.known.size > 600) this.known.delete(this.known.keys().next().value);
  }

  underWay() {
    const here = now();
    return [...this.known.values()].filter((one) => (one.sentMicros ?? 0) <= here && one.arriveMicros > here);
  }

  // ---- told ------------------------------------------------------------------------------------------------------------

  fly(mover) {
    const { flight } = mover;
    const named = mover.mine || this.all || (typeof clock.rate === "number" && clock.rate <= NAMED);
    if (!mover.mine && flight.dropped && !this.first(`${mover.from}>${mover.to}`)) return;
    if (!named) return void this.tick(mover);
    const here = performance.now();
    mover.took = this.duration(flight);
    mover.begin = here;
    if (flight.cause && !exact()) {
      const last = this.causes.get(flight.cause);
      if (last) mover.begin = flight.sentMicros >= last.arrive ? Math.max(here, last.end) : Math.max(here, last.begin);
      if (mover.begin - here > BACKLOG_MS) return;
      this.causes.set(flight.cause, { arrive: flight.arriveMicros, begin: mover.begin, end: mover.begin + mover.took });
      if (this.causes.size > 200) this.causes.delete(this.causes.keys().next().value);
    }
    if (!this.room(mover)) return;
    this.pill(mover, words(flight));
  }

  // Room for one more: in the sum, and on its line. What somebody outside just asked takes the place of the cluster's own.
  room(mover) {
    const pills = [...this.movers].filter((one) => !one.ticks);
    const same = pills.filter((one) => one.from === mover.from && one.to === mover.to && !one.flight.dropped);
    if (pills.length >= MAX_MOVERS) {
      const other = mover.mine && pills.find((one) => !one.mine);
      if (other) this.drop(pills.splice(pills.indexOf(other), 1)[0]);
    }
    // One that would cover another is counted with it.
    const close = same.find((one) => Math.abs(one.begin - mover.begin) < mover.took * APART);
    if (!close && same.length < MAX_PER_LINE && pills.length < MAX_MOVERS) return true;
    const last = close ?? same.at(-1);
    if (last) {
      last.more = (last.more ?? 1) + 1;
      const newest = words(mover.flight);
      if (!/^GET/.test(newest) || /^GET/.test(last.words)) last.words = newest;
      last.said = `${last.words} ×${last.more}`;
    }
    return false;
  }

  duration(flight) {
    const [least, most] = HOP_MS;
    const real = typeof clock.rate === "number" ? (flight.arriveMicros - flight.sentMicros) / 1000 / clock.rate : 0;
    return Math.min(Math.max(real, least), most);
  }

  // Of the many messages that a wall swallows, one every few seconds is enough to see where.
  first(name) {
    const here = performance.now();
    if (here - (this.losses.get(name) ?? -Infinity) < LOSS_MS) return false;
    this.losses.set(name, here);
    return true;
  }

  // The cluster's own business: a small mark without a word, and not many of them.
  tick(mover) {
    let ticks = 0;
    for (const one of this.movers) if (one.ticks) {
      ticks += 1;
      if (one.from === mover.from && one.to === mover.to) return;
    }
    if (ticks >= MAX_TICKS || this.movers.size >= MAX_MOVERS) return;
    const { flight } = mover;
    const node = element(flight.cause ? "a" : "span", `flight tick ${tone(flight)}${flight.dropped ? " fell" : ""}`);
    node.setAttribute("aria-hidden", "true");
    if (flight.cause) [node.href, node.tabIndex] = [address(flight.cause), -1];
    node.append(element("span", ""));
    node.addEventListener("pointerenter", () => node.querySelector("b") ?? node.append(element("b", "why", words(flight))));
    if (mover.flight.dropped) node.append(element("b", "why", mover.flight.dropped.slice(0, 24)));
    Object.assign(mover, { node, ticks: true, begin: performance.now(), took: HOP_MS[0], half: screen ? 7 : 5, halfWidth: screen ? 7 : 5 });
    this.enter(mover);
  }

  pill(mover, text) {
    const { flight } = mover;
    const back = mover.line.points[1][0] < mover.line.points[0][0];
    const node = element(flight.cause ? "a" : "span", `flight ${tone(flight)}${back ? " back" : ""}${mover.mine ? " mine" : ""}${flight.dropped ? " fell" : ""}`);
    if (flight.cause) {
      node.href = address(flight.cause);
      node.setAttribute("aria-label", t("flight.row", { ...flight, left: "" }).replace(/,[^,]*$/, ""));
    }
    node.tabIndex = -1; // the list beside the picture is the keys' way to it
    mover.text = element("b", "", text);
    mover.words = text;
    const edge = element("span", "");
    edge.append(mover.text);
    node.append(edge);
    if (flight.dropped) node.append(element("span", "why", flight.dropped.slice(0, 24)));
    mover.node = node;
    mover.halfWidth = half(mover);
    this.sign(mover);
    mover.half = screen ? 15 : 12;
    this.enter(mover);
  }

  enter(mover) {
    mover.node.style.visibility = "hidden";
    this.layer.append(mover.node);
    this.movers.add(mover);
    if (mover.mine) mover.line.way?.querySelector(".link")?.classList.add("busy");
    this.wake();
  }

  // Now that the console has said which requests are its line's, what is on its way gets the line's number.
  number() {
    for (const mover of this.movers) if (!mover.ticks) this.sign(mover);
  }

  sign(mover) {
    const line = mover.number ? 0 : number(mover.flight.cause);
    if (!line) return;
    mover.number = line;
    mover.text.prepend(element("i", "number", sign(line)));
    mover.halfWidth = half(mover);
  }

  carries(line) {
    return [...this.movers].some((mover) => mover.number === line);
  }

  // Every message says what it is, or only those that somebody asked for.
  name(all) {
    this.all = all;
    for (const mover of [...this.movers]) if (mover.ticks || !mover.mine) this.drop(mover);
  }

  drop(mover) {
    mover.node.remove();
    this.movers.delete(mover);
    if (mover.mine && mover.line.way) setTimeout(() => this.calm(mover.line.way), CALM_MS);
  }

  // A line is thick while it carries what somebody asked; a moment longer, so that a busy one isn't painted with every message.
  calm(way) {
    if (![...this.movers].some((one) => one.mine && one.line.way === way)) way.querySelector(".link")?.classList.remove("busy");
  }

  clear() {
    for (const mover of [...this.movers]) this.drop(mover);
    this.order = 0;
    this.wake();
  }

  // ---- the loop ----------------------------------------------------------------------------------------------------------

  wake() {
    if (!this.frame && this.routes) this.frame = requestAnimationFrame(() => this.turn());
  }

  turn() {
    this.frame = 0;
    const here = performance.now();
    if (exact()) this.reconcile(here);
    let moving = false;
    for (const mover of [...this.movers]) moving = this.put(mover, here) || moving;
    if (moving) this.wake();
  }

  // Exact: what is shown is what is on its way, no more and no less.
  reconcile(here) {
    const clockNow = now();
    const wanted = this.underWay();
    const mineFirst = wanted.map((flight) => ({ flight, mine: this.owned(flight) })).sort((a, b) => b.mine - a.mine || a.flight.arriveMicros - b.flight.arriveMicros);
    const shown = new Map();
    for (const mover of this.movers) if (mover.exact) shown.set(key(mover.flight), mover);
    for (const mover of [...this.movers]) if (!mover.exact && !mover.flight.dropped && !mover.stood) this.drop(mover);
    const perLine = new Map();
    let count = 0;
    for (const { flight, mine } of mineFirst) {
      const [a, b] = [this.place(flight.src), this.place(flight.dst)];
      if (!a || !b || a === b || typed(flight)) continue;
      const name = `${a}>${b}`;
      const same = perLine.get(name) ?? 0;
      perLine.set(name, same + 1);
      const old = shown.get(key(flight));
      shown.delete(key(flight));
      if (old || same >= MAX_PER_LINE || count >= MAX_MOVERS) {
        count += old ? 1 : 0;
        continue;
      }
      const way = this.route(a, b);
      if (!way) continue;
      count += 1;
      this.pill({ flight, from: a, to: b, mine, line: way, exact: true }, words(flight));
    }
    for (const mover of shown.values()) {
      if (clock.paused || (mover.landed && here - mover.landed > LANDED_MS)) this.drop(mover);
      else mover.landed ??= here;
    }
    for (const [name, one] of this.known) if (one.arriveMicros < clockNow - 1e6) this.known.delete(name);
    if (!clock.paused && (wanted.length || this.movers.size || [...this.known.values()].some((one) => one.sentMicros > clockNow))) this.wake();
  }

  // Write one mover's place; whether it will be elsewhere next time.
  put(mover, here) {
    const { flight } = mover;
    let part;
    if (mover.stood) part = 0.5;
    else if (mover.exact) {
      const sent = flight.sentMicros;
      part = sent == null ? 0.5 : (now() - sent) / Math.max(flight.arriveMicros - sent, 1);
    } else {
      part = (here - mover.begin) / mover.took;
      if (part < 0) return true;
      if (part >= 1 && !flight.dropped) {
        this.drop(mover);
        return false;
      }
      if (flight.dropped && here - mover.begin - mover.took > 2500) {
        this.drop(mover);
        return false;
      }
    }
    part = Math.min(Math.max(part, 0), 1);
    if (mover.said) {
      mover.text.lastChild.data = mover.said;
      mover.halfWidth = half(mover);
      mover.said = "";
    }
    const [x, y] = along(mover.line, flight.dropped ? part / 2 : part);
    const [px, py] = this.view.toPage(x, y);
    mover.node.style.transform = `translate(${(px - mover.halfWidth).toFixed(1)}px, ${(py - mover.half).toFixed(1)}px)`;
    if (mover.node.style.visibility) mover.node.style.visibility = "";
    return mover.exact ? !clock.paused : !mover.stood;
  }

  // Reduced motion: nothing moves; hops are numbered in order.
  still(mover) {
    if (!mover.mine && !mover.flight.dropped) return;
    const stills = [...this.movers].filter((one) => one.stood);
    if (stills.length >= MAX_STILLS) this.drop(stills[0]);
    this.order += 1;
    mover.stood = this.order;
    this.pill(mover, `${this.order} ${words(mover.flight)}`);
    mover.node.classList.add("still");
    clearTimeout(this.rest);
    this.rest = setTimeout(() => this.clear(), 8000);
  }
}

export const exact = () => clock.paused || (typeof clock.rate === "number" && clock.rate <= EXACT);

// Half as wide as it is: reckoned, because reading it would lay out the page.
const LETTER = screen ? 12.1 : 7.9;
const half = ({ text, number: line }) => ((text.lastChild.data.length + (line ? sign(line).length + 1.4 : 0)) * LETTER + 23) / 2;

// A line on its way from the keyboard to the shell goes over no line of the network.
const typed = (flight) => (flight.src.startsWith("outside") && flight.dst === "console") || (flight.src === "console" && flight.dst.startsWith("outside"));

const key = (flight) => `${flight.src}>${flight.dst}@${flight.arriveMicros}`;

export function address(cause) {
  const kept = new URLSearchParams();
  for (const [name, value] of new URLSearchParams(location.search)) if (["at", "screen", "lang", "theme"].includes(name)) kept.set(name, value);
  return `/clusters/${encodeURIComponent(cluster)}/requests/${cause}/${kept.size ? `?${kept}` : ""}`;
}

function element(name, className, text = "") {
  const node = document.createElement(name);
  node.className = className;
  if (text) node.textContent = text;
  return node;
}

function tone(flight) {
  if (/^Msg/.test(flight.kind)) return "raft";
  return /^(HttpResponse|HttpChunk|HttpEnd|\d)/.test(flight.kind) || /Resp$|Response$/.test(flight.kind) ? "reply" : "";
}

// What is written on a message: its verb and what it is about.
export function words(flight) {
  const label = flight.label ?? flight.kind;
  const [first, second = ""] = label.split(" ");
  if (/^(GET|POST|PUT|PATCH|DELETE|HEAD|OPTIONS)$/.test(first)) {
    const parts = second.split("?")[0].split("/").filter(Boolean);
    const at = parts.indexOf("namespaces");
    const resource = at >= 0 && parts.length > at + 2 ? parts[at + 2] : parts[0] === "apis" ? parts[3] : parts[0] === "api" ? parts[2] : parts[0];
    return `${first} ${resource ?? "/"}`.slice(0, 20);
  }
  if (/^(Range|Put|Txn)$/.test(first)) return `${first} ${second.split("/")[2] ?? ""}`.trim().slice(0, 18);
  return label.slice(0, 16);
}

// A polyline with the length up to each corner.
function line(points, way = null) {
  const sums = [0];
  for (let i = 1; i < points.length; i += 1) sums.push(sums[i - 1] + Math.hypot(points[i][0] - points[i - 1][0], points[i][1] - points[i - 1][1]));
  return { points, sums, way };
}

// The point at a part of a line's length.
export function along({ points, sums }, part) {
  const target = sums.at(-1) * part;
  let i = 1;
  while (i < points.length - 1 && sums[i] < target) i += 1;
  const step = sums[i] - sums[i - 1];
  const rest = step ? (target - sums[i - 1]) / step : 0;
  return [points[i - 1][0] + (points[i][0] - points[i - 1][0]) * rest, points[i - 1][1] + (points[i][1] - points[i - 1][1]) * rest];
}
