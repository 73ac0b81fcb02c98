// The tape: terms as bands (number and hatch), requests and deaths as marks, now at the right edge. It shows what this page has seen
// and what the cluster still remembers; each mark is a link, reached with the arrow keys.

import { call } from "./control.js";
import { clock, cluster, now, on } from "./feed.js";
import { svg } from "./captions.js";
import { instant, t, what } from "./words.js";

const SECONDS = 60;
const KEEP = 120;
const HATCH = ["none", "45", "135", "dots"];

let tape, bands, marks;
const terms = [];
const items = [];

const reach = () => SECONDS * 1e6 * (typeof clock.rate === "number" ? clock.rate : 10);

export function start() {
  tape = document.querySelector("[data-tape]");
  bands = tape.querySelector("[data-bands]");
  marks = tape.querySelector("[data-tape-marks]");
  try {
    for (const [from, term, leader] of JSON.parse(tape.dataset.terms ?? "[]")) terms.push({ from, term, leader });
  } catch {
    // Without terms there are no bands.
  }
  on("request", mark);
  on("raft", (event) => {
    if (event.role !== "leader" || terms.some((one) => one.term === event.term)) return;
    terms.push({ from: event.atMicros ?? now(), term: event.term, leader: event.member });
    terms.splice(0, terms.length - 40);
  });
  on("process", (event) => !event.up && item({ at: event.atMicros ?? now(), shape: "role-down", label: t("process.down", event), href: "" }));
  tape.addEventListener("keydown", keys);
  call("GET", "/requests?limit=60").then((answer) => (answer.requests ?? answer ?? []).forEach?.(mark)).catch(() => {});
  setInterval(() => document.hidden || draw(), 250);
  draw();
}

// What somebody outside asked, and whatever was refused or failed; what these cause in turn is one click away.
function mark(event) {
  if (!(event.outside && !event.initiator) && !["deny", "error", "throttle"].includes(event.outcome)) return;
  item({
    at: event.startMicros,
    shape: `verdict-${event.outcome}`,
    tone: event.outcome,
    label: `${event.code || ""} ${event.verb} ${what(event)}, ${instant(event.startMicros)}`,
    href: `/clusters/${cluster}/requests/${event.id}/`,
    id: event.id,
  });
}

function item(one) {
  if (one.id && items.some((other) => other.id === one.id)) return;
  const node = svg(one.href ? "a" : "g", { class: `mark is-${one.tone ?? "ok"}`, "aria-label": one.label });
  if (one.href) {
    node.setAttribute("href", one.href);
    node.setAttribute("tabindex", "-1");
  } else node.setAttribute("role", "img");
  one.count = svg("text", { class: "mark-count", x: -2, y: 20, "text-anchor": "end" });
  node.append(one.count, svg("rect", { x: -4, y: 0, width: 24, height: 30, fill: "transparent" }), svg("path", { d: "M8 0V8", stroke: "currentColor", "stroke-width": 1.5 }), svg("use", { href: `#${one.shape}`, width: 14, height: 14, x: 1, y: 9 }));
  node.setAttribute("display", "none");
  one.node = node;
  items.push(one);
  marks.append(node);
  while (items.length > KEEP) items.shift().node.remove();
}

function draw() {
  const width = tape.clientWidth;
  if (!width) return;
  const edge = now();
  const span = reach();
  const x = (at) => width - 14 - ((edge - at) / span) * (width - 20);
  let shown = null;
  // From now backwards: a mark that would cover a newer one keeps its tick only, and the newer one counts it.
  let drawn = null;
  for (const one of [...items].sort((a, b) => b.at - a.at)) {
    const at = x(one.at);
    const inside = at > -20;
    one.node.toggleAttribute("hidden", !inside);
    one.node.setAttribute("display", inside ? "inline" : "none");
    if (!inside) continue;
    one.node.setAttribute("transform", `translate(${(at - 8).toFixed(1)} 17)`);
    if (one.href) shown ??= one;
    const grave = ["deny", "error", "throttle"].includes(one.tone);
    const covered = drawn && drawn.x - at < (drawn.more ? 40 : 17) && one.node !== document.activeElement && !(grave && !drawn.grave);
    one.node.classList.toggle("covered", Boolean(covered));
    if (covered) {
      drawn.more += 1;
      drawn.text.textContent = `+${drawn.more}`;
    } else {
      one.count.textContent = "";
      drawn = { x: at, more: 0, text: one.count, grave };
    }
  }
  // One stop in the tab order: the mark last focused, else the newest.
  if (shown && !marks.querySelector("a[tabindex='0']:not([hidden])")) shown.node.setAttribute("tabindex", "0");
  const parts = [];
  terms.forEach((one, i) => {
    const from = Math.max(x(one.from), 0);
    const to = i + 1 < terms.length ? x(terms[i + 1].from) : width;
    if (to <= 0 || from >= width) return;
    const hatch = HATCH[one.term % 4];
    parts.push(svg("rect", { x: from.toFixed(1), y: 0, width: Math.max(to - from, 1).toFixed(1), height: 16, fill: hatch === "none" ? "none" : `url(#hatch-${hatch})`, class: "band" }));
    parts.push(svg("path", { d: `M${from.toFixed(1)} 0V48`, class: "term-edge" }));
    const words = t("term", { term: one.term });
    const at = Math.max(from, 0) + 6;
    if (to - at > words.length * 8) {
      parts.push(svg("rect", { x: at - 3, y: 1, width: words.length * 7.6 + 6, height: 14, class: "band-plate" }));
      parts.push(svg("text", { x: at, y: 12, class: "band-label" }, words));
    }
  });
  parts.push(svg("path", { d: `M${width - 14} 0V48`, class: "edge-now" }));
  bands.replaceChildren(...parts);
}

function keys(event) {
  const here = event.target.closest("a.mark");
  if (!here) return;
  const row = items.filter((one) => one.href && !one.node.hasAttribute("hidden")).sort((a, b) => a.at - b.at);
  const at = row.findIndex((one) => one.node === here);
  const to = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: row.length - 1 }[event.key];
  if (to === undefined || !row[to]) return;
  event.preventDefault();
  event.stopPropagation();
  here.setAttribute("tabindex", "-1");
  row[to].node.setAttribute("tabindex", "0");
  row[to].node.focus();
}
