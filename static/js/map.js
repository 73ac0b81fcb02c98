// The map, live. Every object keeps its slot for its lifetime; a free slot is used again. Names and shapes change in place.

import { Flights } from "./flights.js";
import { on } from "./feed.js";
import { say, svg } from "./captions.js";
import * as inflight from "./inflight.js";
import { cut, t } from "./words.js";

let drawing = document.querySelector("[data-map]");
let flights = null;

export function start() {
  if (!drawing) return; // nothing is known yet; app.js asks again
  flights = new Flights(drawing);
  on("request", (event) => flights.mine(event));
  on("flight", (flight) => {
    flights.add(flight);
    if (flight.dropped && flight.cause && !/^Msg/.test(flight.kind)) say(t("flight.lost", { ...flight, why: flight.dropped }), { outcome: "error" });
  });
  inflight.start();
  on("object", object);
  on("raft", member);
  on("process", process);
  on("host", host);
  document.addEventListener("acted", () => setTimeout(inspect, 250));
  document.body.addEventListener("htmx:afterSettle", mark);
  document.addEventListener("click", soft);
  mark();
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
      const answer = await fetch("?part=summary", { headers: { "HX-Request": "true" } });
      if (answer.ok) target.innerHTML = await answer.text();
    }
  } catch {
    // The next change asks again.
  } finally {
    summary = 0;
  }
}

function pod(event) {
  const known = drawing.querySelector(`[data-uid="${CSS.escape(event.uid)}"]`);
  if (event.type === "DELETED") {
    known?.remove();
    return;
  }
  const home = drawing.querySelector(`[data-slots="${CSS.escape(event.node ?? "")}"]`);
  if (!home) {
    known?.remove();
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
    const x = (g.x + (i % g.columns) * g.w).toFixed(1);
    const y = (g.y + Math.floor(i / g.columns) * g.h).toFixed(1);
    const transform = `translate(${x} ${y})`;
    if (!taken.has(transform)) return { ...g, transform };
  }
  return null;
}

function chip(event, slot) {
  const link = svg("a", { transform: slot.transform });
  const select = `?select=${encodeURIComponent(`pod:${event.namespace}/${event.name}`)}`;
  link.setAttribute("href", select);
  link.setAttribute("hx-get", select);
  Object.assign(link.dataset, { uid: event.uid, name: event.name, namespace: event.namespace, letters: slot.letters });
  const use = svg("use");
  link.append(svg("rect", { class: "hit", width: slot.size + 4, height: slot.size + 4 }), svg("svg", { x: 1, y: 2, width: slot.size, height: slot.size, viewBox: "0 0 16 16" }, use));
  if (slot.letters) link.append(svg("text", { class: "podname", x: slot.size + 6, y: slot.size - 1 }, cut(event.name, slot.letters)));
  phase(link, event);
  window.htmx?.process(link);
  return link;
}

function phase(link, event) {
  link.setAttribute("class", `pod ${event.phase}${link.classList.contains("is-selected") ? " is-selected" : ""}`);
  link.dataset.phase = event.phase;
  link.querySelector("use").setAttribute("href", `#phase-${event.phase}`);
  link.setAttribute("aria-label", `${event.namespace}/${event.name}, ${event.phase}`);
}

function node(event) {
  const box = drawing.querySelector(`[data-node="${CSS.escape(event.name)}"]`);
  if (!box || event.type === "DELETED") return;
  box.classList.toggle("notready", !event.ready);
  const word = event.unschedulable ? "short.cordoned" : event.ready ? "short.ready" : "short.notready";
  const state = box.querySelector("[data-nodestate]");
  if (state.textContent !== t(word)) {
    state.textContent = t(word);
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
  at.querySelector(".slash")?.remove();
  if (!event.up) {
    const [x, y, w, h] = ["x", "y", "width", "height"].map((key) => Number(outline.getAttribute(key)));
    at.append(svg("path", { class: "slash", d: `M${x} ${y + h}L${x + w} ${y}` }));
  }
}

function host(event) {
  const at = drawing.querySelector(`[data-host="${CSS.escape(event.name)}"]`);
  if (at) state(at, event);
}

function state(at, event) {
  at.classList.remove("up", "down", "paused");
  at.classList.add(!event.up ? "down" : event.paused ? "paused" : "up");
}

// ---- inspector ---------------------------------------------------------------------------------------------------------

// Links inside the inspector change the inspector only.
function soft(event) {
  const link = event.target.closest?.("a[href^='?select='], a.close");
  if (!link || link.closest("svg") || event.ctrlKey || event.metaKey || !window.htmx) return;
  event.preventDefault();
  show(link.getAttribute("href"));
}

async function show(address) {
  await window.htmx.ajax("GET", address, { target: "#inspector", swap: "innerHTML", headers: { "HX-Target": "inspector" } });
  history.pushState(null, "", address);
  mark();
}

function inspect() {
  if (new URLSearchParams(location.search).has("select")) show(location.search);
}

function mark() {
  for (const thing of drawing.querySelectorAll(".is-selected")) thing.classList.remove("is-selected");
  const chosen = document.querySelector("[data-selected]");
  if (!chosen) return;
  const name = CSS.escape(chosen.dataset.selectedName);
  const selector = { pod: `[data-uid="${name}"]`, process: `[data-process="${name}"]`, client: `[data-process="${name}"]`, host: `[data-host="${name}"]` }[chosen.dataset.selected];
  drawing.querySelector(selector)?.classList.add("is-selected");
}

// When a node's slots no longer fit, the whole picture is drawn anew by the server (smaller marks, same order).
let drawingAnew = false;

async function redraw() {
  if (drawingAnew) return;
  drawingAnew = true;
  try {
    const page = new DOMParser().parseFromString(await (await fetch(location.href)).text(), "text/html");
    const fresh = page.querySelector("[data-map]");
    if (fresh) {
      drawing.replaceWith(document.adoptNode(fresh));
      drawing = fresh;
      window.htmx?.process(drawing);
      const outside = flights.outside;
      flights = new Flights(drawing);
      flights.outside = outside;
      mark();
    }
  } finally {
    setTimeout(() => (drawingAnew = false), 500);
  }
}
