// The network page: one packet stepped through the picture. Every step is an address of its own; here it is shown without asking the server again,
// the packet rides to where it happens, and the rules, the comparison and the header follow.

import { say } from "./captions.js";
import { at, look } from "./moment.js";
import { t } from "./words.js";

const still = matchMedia("(prefers-reduced-motion: reduce)");
const HOP_MS = 700;
const HOLD_MS = 1500;

let page = null;
let drawn = ""; // the address that the page shows, but for the step

export function start() {
  document.addEventListener("submit", send);
  document.addEventListener("change", chosen);
  document.addEventListener("click", click);
  document.addEventListener("keydown", keys);
  addEventListener("popstate", () => {
    const there = new URLSearchParams(location.search);
    if ((there.get("at") ?? "") !== at()) return; // another moment is moment.js's business
    const step = there.get("step");
    if (packet() === drawn && page && step !== null) page.go(Number(step), { push: false });
    else if (packet() !== drawn || page) look(at(), { address: location.href, push: false });
  });
  moved();
}

export function moved() {
  page?.stop();
  drawn = packet();
  page = document.querySelector("[data-walk-steps]") ? walk() : null;
  const cost = document.querySelector("[data-cost]");
  if (cost) import("./network_cost.js").then((module) => module.start(cost));
}

function packet() {
  const there = new URLSearchParams(location.search);
  there.delete("step");
  return String(there);
}

// What is chosen from a list takes the place of what was typed for it.
const TYPED = { from: ["src"], to: ["dst", "port", "protocol"], service: ["dst", "port", "protocol"] };

function chosen(event) {
  const form = event.target.form;
  if (!form?.matches(".js-look[data-auto]") || event.target.closest(".net-other")) return;
  for (const name of TYPED[event.target.name] ?? []) {
    const field = form.querySelector(`.net-other [name="${name}"]`);
    if (field) field.value = "";
  }
  form.requestSubmit();
}

// A choice is another address: read in place, as another moment is.
function send(event) {
  if (event.target.matches("[data-paste]")) return paste(event);
  const form = event.target.closest(".js-look");
  if (!form || form.method !== "get") return;
  event.preventDefault();
  const there = new URL(location.href);
  const service = there.searchParams.get("service");
  there.search = "";
  for (const [name, value] of new FormData(form)) if (value) there.searchParams.set(name, value);
  // Another Service has other addresses.
  if (service !== null && there.searchParams.get("service") !== service) there.searchParams.delete("to");
  open(there.href);
}

// A dump is sent as a form is, and its answer put in the page's place: it has no address.
async function paste(event) {
  event.preventDefault();
  const form = event.target;
  const button = event.submitter ?? form.querySelector("button");
  button.disabled = true;
  try {
    const body = new FormData(form);
    if (event.way !== undefined) body.set("way", event.way);
    const answer = await fetch(form.action, { method: "POST", body });
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    if (!fresh.querySelector("main .net")) throw new Error(`${answer.status} ${answer.statusText}`);
    document.querySelector(".middle").replaceWith(document.adoptNode(fresh.querySelector(".middle")));
    moved();
    const found = document.querySelector("#p-wrong") ?? document.querySelector("[data-walk-verdict]");
    found?.focus({ preventScroll: true });
    found?.scrollIntoView({ block: "nearest" });
  } catch (error) {
    button.disabled = false;
    say(t("failed", { why: error.message }), { outcome: "error" });
  }
}

const open = (address) => look(document.body.dataset.at ?? "", { address });

function click(event) {
  if (event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
  const link = event.target.closest?.("a");
  // A jump opens the chain it leads to; back is the browser's own.
  if (link?.matches("[data-jump]")) {
    const chain = document.getElementById(link.hash.slice(1));
    if (chain) chain.open = true;
    return;
  }
  if (link?.matches("[data-step]")) {
    event.preventDefault();
    page?.go(Number(link.dataset.step));
  } else if (link?.matches("[data-walk-go]")) {
    event.preventDefault();
    page?.move(link.dataset.walkGo);
  } else if (link?.matches("[data-follow]") && document.querySelector("[data-paste]")) {
    event.preventDefault();
    const way = new URL(link.href.baseVal, location.href).searchParams.get("way");
    paste({ target: document.querySelector("[data-paste]"), preventDefault() {}, way });
  } else if (link?.closest("[data-follow], [data-look]")) {
    const there = new URL(link.href instanceof SVGAnimatedString ? link.href.baseVal : link.href, location.href);
    // Another view has other parts: it is opened as a page of its own.
    if ((there.searchParams.get("tab") ?? "packet") !== document.querySelector(".net").dataset.tab) return;
    event.preventDefault();
    open(there.href);
  } else if (event.target.closest?.("[data-walk-play]")) page?.play();
}

function keys(event) {
  if (!page || event.altKey || event.ctrlKey || event.metaKey || event.target.closest("input, select, textarea, .tape, .console, .rules, [role=slider], [tabindex='0']")) return;
  const name = { ArrowRight: "next", PageDown: "next", ArrowLeft: "back", PageUp: "back", Home: "first", End: "last" }[event.key];
  if (!name) return;
  event.preventDefault();
  page.move(name);
}

function walk() {
  const list = document.querySelector("[data-walk-steps]");
  const steps = [...list.querySelectorAll("[data-step]")];
  const packet = document.querySelector("[data-packet]");
  const flow = document.querySelector("[data-flow]");
  let at = steps.findIndex((step) => step.hasAttribute("aria-current"));
  let timer = 0;
  let flying = null;
  light();
  follow();

  const moves = { first: () => 0, back: () => at - 1, next: () => at + 1, last: () => steps.length - 1 };
  const move = (name) => go(moves[name]() + 1);

  function go(number, { push = true, fly = true } = {}) {
    const to = Math.min(Math.max(number, 1), steps.length) - 1;
    if (to === at) return;
    const from = steps[at];
    at = to;
    for (const step of steps) step.toggleAttribute("aria-current", false);
    steps[at].setAttribute("aria-current", "step");
    const parts = document.querySelector(`template[data-frame="${at + 1}"]`).content;
    for (const name of ["step", "chain"]) {
      const slot = document.querySelector(`[data-slot="${name}"]`);
      slot?.replaceChildren(...[...parts.querySelector(`[data-part="${name}"]`).childNodes].map((node) => document.importNode(node, true)));
    }
    for (const line of document.querySelectorAll("[data-sentence]")) if (line.matches("p")) line.textContent = steps[at].dataset.sentence;
    document.querySelector("[data-walk-where]").textContent = t("where", { at: at + 1, last: steps.length });
    if (push && !document.querySelector("[data-paste]")) {
      const there = new URL(location.href);
      there.searchParams.set("step", at + 1);
      history.replaceState(null, "", there);
    }
    for (const [name, step] of [["back", at], ["next", at + 2]]) {
      const link = document.querySelector(`[data-walk-go="${name}"]`);
      const there = new URL(link.href);
      there.searchParams.set("step", Math.min(Math.max(step, 1), steps.length));
      link.href = there.href;
    }
    light();
    ride(from, steps[at], fly);
    follow();
  }

  // The second node's lane may be below the edge: the packet is kept in sight.
  function follow() {
    const { dir } = steps[at].dataset;
    if (dir === "there" || dir === "back" || packet.dataset.far) packet.scrollIntoView({ block: dir === "there" || dir === "back" ? "center" : "nearest" });
    packet.dataset.far = dir === "there" || dir === "back" ? "1" : "";
  }

  // What is about this step is marked in the picture, the list and the header's table.
  function light() {
    const { dir, hook, station } = steps[at].dataset;
    for (const group of flow.querySelectorAll("[data-direction]")) group.setAttribute("visibility", group.dataset.direction === dir ? "visible" : "hidden");
    for (const visit of flow.querySelectorAll(".visit")) visit.classList.toggle("now", visit.closest("[data-direction]").dataset.direction === dir && visit.dataset.hook === hook && visit.dataset.station === station);
    for (const row of document.querySelectorAll("[data-row]")) row.classList.toggle("now", Number(row.dataset.row) === at + 1);
    for (const card of flow.querySelectorAll(".card")) card.classList.toggle("later", at + 1 < Number(card.dataset.from));
    const now = document.querySelector("[data-row].now");
    const pane = now?.closest(".net-ledger");
    if (pane && (now.offsetTop < pane.scrollTop || now.offsetTop + now.offsetHeight > pane.scrollTop + pane.clientHeight)) pane.scrollTop = now.offsetTop - 60;
    packet.classList.toggle("reply", dir === "reply" || dir === "back");
    packet.classList.toggle("turned", Boolean(steps[at].dataset.turned));
    const row = steps[at].parentElement;
    const box = list.closest(".inspector");
    if (box && box.scrollHeight > box.clientHeight && at > 0) {
      const [top, bottom] = [row.offsetTop - box.scrollTop, row.offsetTop + row.offsetHeight - box.scrollTop];
      if (document.activeElement === steps[at] && (top < 0 || bottom > box.clientHeight)) row.scrollIntoView({ block: "nearest" });
    }
  }

  // Along the rail, at an even pace: travel depicts time.
  function ride(from, to, fly) {
    flying?.cancel();
    flying = null;
    const place = `translate(${to.dataset.x} ${to.dataset.y})`;
    packet.setAttribute("transform", place);
    if (!fly || still.matches || from.dataset.dir !== to.dataset.dir) return;
    const way = flow.querySelector(`[data-direction="${to.dataset.dir}"] [data-way]`);
    const [a, b] = [from, to].map((step) => along(way, Number(step.dataset.x), Number(step.dataset.y)));
    if (a === null || b === null || Math.abs(a - b) < 1) return;
    const frames = [];
    const count = Math.max(2, Math.ceil(Math.abs(b - a) / 24));
    for (let i = 0; i <= count; i++) {
      const point = way.getPointAtLength(a + ((b - a) * i) / count);
      frames.push({ transform: `translate(${point.x}px, ${point.y}px)` });
    }
    frames[frames.length - 1] = { transform: `translate(${to.dataset.x}px, ${to.dataset.y}px)` };
    flying = packet.animate(frames, { duration: Math.min(HOP_MS, 200 + Math.abs(b - a) * 3), easing: "linear" });
  }

  function play() {
    const button = document.querySelector("[data-walk-play]");
    if (timer) return stop();
    if (at === steps.length - 1 || !new URLSearchParams(location.search).has("step")) go(1);
    button.setAttribute("aria-pressed", "true");
    button.textContent = t("hold");
    timer = setInterval(() => {
      if (at >= steps.length - 1) return stop();
      move("next");
    }, HOLD_MS);
    move("next");
  }

  function stop() {
    clearInterval(timer);
    timer = 0;
    const button = document.querySelector("[data-walk-play]");
    if (!button) return;
    button.setAttribute("aria-pressed", "false");
    button.textContent = t("play");
  }

  return { go, move, play, stop };
}

// How far along the way a point of it is; null when it is not on it.
function along(way, x, y) {
  const length = way.getTotalLength();
  let best = null;
  let least = 400;
  for (let at = 0; at <= length; at += 4) {
    const point = way.getPointAtLength(at);
    const far = (point.x - x) ** 2 + (point.y - y) ** 2;
    if (far < least) [least, best] = [far, at];
  }
  return best;
}
