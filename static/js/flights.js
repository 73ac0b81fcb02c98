// Messages on their way. In: "flight" events (from, to, sent and arrival in virtual micros, cause). Out: pills that travel the drawn
// lines, one hop after the other for one cause, because a hop of a millisecond would be over before anyone saw it.
// Simulated time never waits for the screen: a backlog is dropped, not slowed. At most 24 movers, 3 a line; more become one counted pill.
// With reduced motion nothing moves: the line is drawn strong, with its order number.

import { clock } from "./feed.js";
import { svg } from "./captions.js";

const MAX_MOVERS = 24;
const MAX_PER_LINE = 3;
const MAX_STILLS = 12;
const BACKLOG_MS = 4500;
const QUIET_MOVERS = 5;
const LOSS_MS = 5000;
const reduced = matchMedia("(prefers-reduced-motion: reduce)");
const screen = document.documentElement.dataset.theme === "screen";
const HOP_MS = screen ? [1000, 1600] : [600, 1200];

export class Flights {
  constructor(drawing) {
    this.drawing = drawing;
    this.layer = drawing.querySelector("[data-flights]");
    this.movers = new Map();
    this.perLine = new Map();
    this.causes = new Map();
    this.outside = new Set();
    this.named = new Map();
    this.losses = new Map();
    this.order = 0;
    this.index();
  }

  // Which line joins which two processes, and where each process is.
  index() {
    this.routes = new Map();
    for (const path of this.drawing.querySelectorAll("[data-route]")) {
      const points = path.dataset.route.split(" ").map((pair) => pair.split(",").map(Number));
      this.routes.set(`${path.dataset.a}>${path.dataset.b}`, { points, path });
      this.routes.set(`${path.dataset.b}>${path.dataset.a}`, { points: [...points].reverse(), path });
    }
    this.places = new Map();
    for (const box of this.drawing.querySelectorAll("[data-process]")) {
      const outline = box.querySelector(".outline");
      const number = (name) => Number(outline.getAttribute(name));
      this.places.set(box.dataset.process, [number("x") + number("width") / 2, number("y") + number("height") / 2]);
    }
  }

  place(name) {
    if (this.places.has(name)) return name;
    return name.startsWith("outside") ? "outside" : null;
  }

  route(a, b) {
    const known = this.routes.get(`${a}>${b}`);
    if (known) return known;
    const [from, to] = [this.places.get(a), this.places.get(b)];
    if (!from || !to) return null;
    // No line of its own (an apiserver that went to another host's member): straight along the axes.
    return { points: [from, [to[0], from[1]], to], path: null };
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

  add(flight) {
    const [a, b] = [this.place(flight.src), this.place(flight.dst)];
    if (!a || !b || a === b || document.hidden) return;
    const slow = typeof clock.rate === "number" && clock.rate <= 0.1;
    // Until an apiserver has it a request has no number: its way through the gate is known by its name.
    if (!flight.cause && flight.kind === "HttpRequest") flight.cause = this.named.get(flight.label) ?? 0;
    const mine = this.outside.has(flight.cause) || a === "outside" || a === "console";
    if (!mine && !flight.cause && !slow && !(flight.dropped && this.first(`${a}>${b}`))) return;
    if (!mine && !slow && this.movers.size >= QUIET_MOVERS) return;
    const route = this.route(a, b);
    if (!route) return;
    if (reduced.matches) this.still(flight, route);
    else this.fly(flight, route, `${a}>${b}`);
  }

  // Of the many messages that a wall swallows, one every few seconds is enough to see where.
  first(line) {
    const here = performance.now();
    if (here - (this.losses.get(line) ?? -Infinity) < LOSS_MS) return false;
    this.losses.set(line, here);
    return true;
  }

  duration(flight) {
    const [least, most] = HOP_MS;
    const real = typeof clock.rate === "number" ? (flight.arriveMicros - flight.sentMicros) / 1000 / clock.rate : 0;
    return Math.min(Math.max(real, least), most);
  }

  fly(flight, route, line) {
    const here = performance.now();
    const took = this.duration(flight);
    let begin = here;
    if (flight.cause) {
      const last = this.causes.get(flight.cause);
      if (last) begin = flight.sentMicros >= last.arrive ? Math.max(here, last.end) : Math.max(here, last.begin);
      if (begin - here > BACKLOG_MS) return;
      this.causes.set(flight.cause, { arrive: flight.arriveMicros, begin, end: begin + took });
      if (this.causes.size > 200) this.causes.delete(this.causes.keys().next().value);
    }
    const crowd = this.perLine.get(line) ?? [];
    // What somebody outside just asked is what they look for: it takes the place of the oldest message of the cluster's own.
    const first = line.startsWith("outside>") || line.startsWith("console>");
    if (first && this.movers.size >= MAX_MOVERS) for (const [mover, animation] of this.movers) {
      if (mover.first) continue;
      animation.onfinish = animation.oncancel = null;
      animation.cancel();
      mover.end();
      break;
    }
    if (crowd.length >= MAX_PER_LINE || this.movers.size >= MAX_MOVERS) {
      crowd.at(-1)?.count(label(flight));
      return;
    }
    const mover = this.pill(flight, route);
    mover.first = first;
    crowd.push(mover);
    this.perLine.set(line, crowd);
    const corners = flight.dropped ? half(route.points) : route.points;
    const animation = mover.node.animate(keyframes(corners), { duration: took, delay: begin - here, easing: "linear" });
    mover.node.setAttribute("transform", `translate(${corners.at(-1).join(" ")})`);
    this.movers.set(mover, animation);
    const done = () => {
      this.movers.delete(mover);
      const rest = (this.perLine.get(line) ?? []).filter((other) => other !== mover);
      if (rest.length) this.perLine.set(line, rest);
      else this.perLine.delete(line);
      if (flight.dropped) {
        mover.node.removeAttribute("visibility");
        setTimeout(() => mover.node.remove(), 2500);
      }
      if (!flight.dropped) mover.node.remove();
    };
    mover.end = done;
    animation.onfinish = done;
    animation.oncancel = done;
  }

  pill(flight, route) {
    const words = label(flight);
    const high = screen ? 14 : 11;
    const back = /^(HttpResponse|HttpChunk|\d)/.test(flight.kind) || /Resp$|Response$/.test(flight.kind);
    const kind = flight.dropped ? "lost" : /^Msg/.test(flight.kind) ? "raft" : back ? "reply" : "";
    // The point shows the way: forward with the first stretch of the line.
    const right = route.points[1][0] >= route.points[0][0];
    const outline = (text) => {
      const left = -Math.max(text.length * (screen ? 12.1 : 8.5) + 14, 28) / 2;
      return right ? `M${left} ${-high}H${-left}L${-left + 9} 0 ${-left} ${high}H${left}Z` : `M${-left} ${-high}H${left}L${left - 9} 0 ${left} ${high}H${-left}Z`;
    };
    const shape = svg("path", { d: outline(words) });
    const left = -Math.max(words.length * (screen ? 12.1 : 8.5) + 14, 28) / 2;
    const text = svg("text", { "text-anchor": "middle", y: screen ? 7 : 5 }, words);
    const node = svg("g", { class: `flight ${kind}`, visibility: "hidden" }, shape, text);
    if (flight.dropped) node.append(svg("path", { class: "wall", d: `M${-left + 14} -16V16` }), svg("text", { "text-anchor": "middle", y: high + 18 }, flight.dropped.slice(0, 24)));
    this.layer.append(node);
    let more = 1;
    let named = words;
    return {
      node,
      // The counted pill is named after its newest message, and a write keeps its name before reads.
      count(newest) {
        more += 1;
        if (!/^GET/.test(newest) || /^GET/.test(named)) named = newest;
        text.textContent = `${named} ×${more}`;
        shape.setAttribute("d", outline(text.textContent));
      },
    };
  }

  still(flight, route) {
    if (this.layer.childElementCount >= MAX_STILLS) return;
    this.order += 1;
    const [x, y] = half(route.points).at(-1);
    const node = svg("g", { class: "flight still", transform: `translate(${x} ${y})` }, svg("path", { d: "M-26 -10H26L34 0 26 10H-26Z" }), svg("text", { "text-anchor": "middle", y: 4 }, `${this.order} ${label(flight).slice(0, 5)}`));
    this.layer.append(node);
    route.path?.classList.add("busy");
    setTimeout(() => {
      node.remove();
      route.path?.classList.remove("busy");
      if (this.layer.childElementCount === 0) this.order = 0;
    }, 3000);
  }
}

function label(flight) {
  const words = flight.label ?? flight.kind;
  const [first, second = ""] = words.split(" ");
  if (/^(GET|POST|PUT|PATCH|DELETE|HEAD|OPTIONS)$/.test(first)) {
    const parts = second.split("?")[0].split("/").filter(Boolean);
    const at = parts.indexOf("namespaces");
    const resource = at >= 0 && parts.length > at + 2 ? parts[at + 2] : parts[0] === "apis" ? parts[3] : parts[0] === "api" ? parts[2] : parts[0];
    return `${first} ${resource ?? "/"}`.slice(0, 20);
  }
  if (/^(Range|Put|Txn)$/.test(first)) return `${first} ${second.split("/")[2] ?? ""}`.trim().slice(0, 18);
  return words.slice(0, 16);
}

// A lost message stops half way.
function half(points) {
  const total = length(points) / 2;
  const out = [points[0]];
  let done = 0;
  for (let i = 1; i < points.length; i += 1) {
    const step = Math.hypot(points[i][0] - points[i - 1][0], points[i][1] - points[i - 1][1]);
    if (done + step >= total) {
      const part = step ? (total - done) / step : 0;
      out.push([points[i - 1][0] + (points[i][0] - points[i - 1][0]) * part, points[i - 1][1] + (points[i][1] - points[i - 1][1]) * part]);
      return out;
    }
    done += step;
    out.push(points[i]);
  }
  return out;
}

function length(points) {
  let sum = 0;
  for (let i = 1; i < points.length; i += 1) sum += Math.hypot(points[i][0] - points[i - 1][0], points[i][1] - points[i - 1][1]);
  return sum;
}

function keyframes(points) {
  const total = length(points) || 1;
  let done = 0;
  return points.map((point, i) => {
    if (i) done += Math.hypot(point[0] - points[i - 1][0], point[1] - points[i - 1][1]);
    return { offset: done / total, transform: `translate(${point[0]}px, ${point[1]}px)`, visibility: "visible" };
  });
}
