// The frame: revision on the plane line, clock and its control, people watching, the lost connection's strip, keys.

import { call, InThePast } from "./control.js";
import { clock, cluster, connected, live, now, on, onLive, past, setClock } from "./feed.js";
import { say } from "./captions.js";
import { keysOn } from "./shortcuts.js";
import * as moment from "./moment.js";
import { instant, span, speed, t, told, what, who } from "./words.js";

const root = document.documentElement;
const all = (selector) => document.querySelectorAll(selector);
const one = (selector) => document.querySelector(selector);

export function start() {
  revision();
  ticking();
  connection();
  controls();
  keys();
  mood();
  document.addEventListener("moved", mood);
  narrate();
}

function text(selector, value) {
  for (const node of all(`${selector}:not(body)`)) if (node.textContent !== value) write(node, value);
}

// The same text node keeps its place: a changed word is no changed tree.
function write(node, value) {
  if (node.firstChild?.nodeType === Node.TEXT_NODE && !node.firstChild.nextSibling) node.firstChild.data = value;
  else node.textContent = value;
}

function revision() {
  on("frame", (frame) => {
    if (frame.revision != null) {
      text("[data-revision]", String(frame.revision));
      one("[data-notch]")?.setAttribute("x", `${(1 + (frame.revision % 200) * 0.42).toFixed(2)}%`);
    }
  });
  onLive("frame", (frame) => {
    if (frame.watching != null) text("[data-watching]", t("watching", { n: frame.watching }));
    doors(frame);
  });
  on("clock", clockBar);
}

function show(node, shown) {
  if (node.hidden === shown) node.hidden = !shown;
}

// Who stands at the door because the clock stands, or because of a breakpoint.
function doors(frame) {
  const waiting = one("[data-waiting]");
  if (waiting && frame.waiting != null) {
    show(waiting, frame.waiting > 0);
    const said = t("waiting", { n: frame.waiting });
    if (waiting.textContent !== said) waiting.textContent = said;
  }
  const stopped = one("[data-stopped]");
  if (stopped && "stopped" in frame) {
    show(stopped, Boolean(frame.stopped));
    told(frame.stopped?.sentence ?? "").then(({ text }) => stopped.textContent !== text && (stopped.textContent = text));
  }
}

function clockBar() {
  text("[data-speed]", clock.paused ? t("paused") : speed(clock.rate));
  text("[data-do=toggle]", live.paused ? t("resume") : t("pause"));
  const select = document.getElementById("rate");
  if (select && document.activeElement !== select) select.value = String(live.rate);
  root.classList.toggle("is-paused", live.paused);
}

// The clock's figures: ten times a second is as fast as anyone reads, and none while nothing changes.
let timer = 0;

function ticking() {
  const again = () => {
    tick();
    const moves = !live.paused && connected && !document.hidden;
    if (moves && !timer) timer = setTimeout(() => ((timer = 0), again()), past() ? 1000 : 100);
  };
  onLive("clock", again);
  onLive("back", again);
  document.addEventListener("visibilitychange", again);
  document.addEventListener("moved", again);
}

function tick() {
  if (past()) return text("[data-behind]", t("behind", { span: span(Math.max(0, now(live) - clock.nowMicros)) }));
  const value = instant(now());
  text("[data-now]", value);
  text("[data-now-short]", value);
}

// Past or present: what acts on the live cluster says that it would act on a fork.
function mood() {
  root.classList.toggle("is-past", past());
  const line = document.getElementById("line");
  if (line) {
    line.readOnly = past();
    line.placeholder = past() ? t("past.console") : "";
  }
  if (!past()) clockBar();
}

function connection() {
  const strip = one("[data-lost]");
  let shown = 0;
  onLive("lost", ({ forgotten }) => {
    // A blink is nobody's business: say it only when it lasts.
    if (!shown) shown = setTimeout(() => {
      strip.hidden = false;
      strip.querySelector("[data-lost-text]").textContent = t(forgotten ? "forgotten" : "lost");
      root.classList.add("is-lost");
    }, 600);
  });
  onLive("back", () => {
    clearTimeout(shown);
    shown = 0;
    if (strip.hidden) return;
    strip.hidden = true;
    root.classList.remove("is-lost");
    say(t("back"));
  });
}

async function attempt(work) {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof InThePast)) say(t("failed", { why: error.message }), { outcome: "error" });
    return null;
  }
}

export const toggle = () => attempt(async () => setClock(await call("PATCH", "/clock", { paused: !live.paused })));
export const step = (request) => attempt(async () => setClock(clockOf(await call("POST", "/clock/step", request ? { request } : {}))));
export const act = (path) => attempt(() => call("POST", `/${path}`, {}));
const rate = (value) => attempt(async () => setClock(await call("PATCH", "/clock", { rate: value === "max" ? "max" : Number(value) })));

const clockOf = (answer) => answer.clock ?? answer;

// Steps are taken one after the other, however fast somebody clicks.
let stepping = Promise.resolve();
const queued = (work) => (stepping = stepping.then(() => attempt(work)));

const trace = () => Number(one("[data-trace]")?.dataset.trace ?? 0);

const dialog = async (name, detail) => (await import("./dialogs.js")).open(name, detail);

const DEEDS = {
  toggle,
  step: () => queued(() => step(trace())),
  back: () => queued(() => moment.step("back")),
  forward: () => queued(() => moment.step("forward")),
  live: () => moment.look(""),
  copy: () => dialog("copy"),
};

function controls() {
  document.addEventListener("click", (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    const button = event.target.closest?.("[data-do]");
    if (DEEDS[button?.dataset.do]) {
      event.preventDefault();
      DEEDS[button.dataset.do]();
    }
    const opener = event.target.closest?.("[data-open]");
    if (opener) dialog(opener.dataset.open);
    const deed = event.target.closest?.("[data-act]");
    if (deed) {
      event.preventDefault();
      deed.disabled = true;
      act(`${deed.closest("[data-acts]").dataset.acts}/${deed.dataset.act}`).finally(() => {
        deed.disabled = false;
        document.dispatchEvent(new CustomEvent("acted"));
      });
    }
  });
  document.addEventListener("change", (event) => event.target.id === "rate" && rate(event.target.value));
  document.addEventListener("submit", (event) => event.target.matches("[data-clock]") && event.preventDefault());
  document.addEventListener("act-in-the-past", (event) => dialog("fork", { act: event.detail }));
}

const KEYS = {
  s: () => (past() ? DEEDS.forward() : DEEDS.step()),
  S: DEEDS.back,
  ",": DEEDS.back,
  l: () => past() && DEEDS.live(),
  c: DEEDS.copy,
  b: () => dialog("bookmark"),
  f: () => dialog("fork"),
  h: () => dialog("history"),
  "?": () => dialog("help"),
  t: () => one("[data-tape-slider]")?.focus(),
  "<": () => faster(-1),
  ">": () => faster(1),
};

function keys() {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || !cluster) return;
    const here = event.target;
    // (What has just been shut has the focus until the next frame.)
    if (here.closest("input, select, textarea, [contenteditable], dialog")?.checkVisibility()) return;
    if (event.key.length === 1 && event.key !== " " && !keysOn()) return;
    if (event.key === "Escape") for (const menu of all(".menu[open]")) menu.open = false;
    const pressable = here.closest("button, a, summary");
    // The presenter's page has a meaning of its own for letters.
    let deed = document.body.dataset.page === "presenter" ? undefined : KEYS[event.key];
    if (event.key === "." || (event.key === " " && !pressable)) deed = past() ? () => dialog("fork", { act: null, why: "past.pause" }) : toggle;
    // A presentation clicker's keys step; a page with steps of its own takes them itself, and a running cluster's page scrolls.
    if (/^Page(Up|Down)$/.test(event.key) && (past() || live.paused) && !one("[data-go]") && !here.closest("[role=slider]")) deed = event.key === "PageDown" ? KEYS.s : DEEDS.back;
    if (!deed) return;
    event.preventDefault();
    deed();
  });
}

function faster(by) {
  const select = document.getElementById("rate");
  if (!select) return;
  const to = Math.min(Math.max(select.selectedIndex + by, 0), select.options.length - 1);
  select.selectedIndex = to;
  rate(select.options[to].value);
}

// What every page tells in words. Where a sentence of its own says how things stand now, roles and processes are only listed: told one after the other
// they would lag behind the picture.
const said = () => ({ quiet: Boolean(document.querySelector("[data-caption-now]")) });

function narrate() {
  const phases = new Map();
  on("request", (event) => {
    if (!event.outside && event.outcome === "allow") return;
    const mine = event.outside && !event.initiator;
    if (!mine && event.outcome === "allow") return;
    const values = { who: who(event), verb: event.verb, what: what(event), code: event.code };
    const key = event.outcome === "wait" ? "said.allow" : `said.${event.outcome}`;
    say(t(key, values), { outcome: event.outcome, href: `/clusters/${cluster}/requests/${event.id}/` });
  });
  on("object", (event) => {
    if (event.resource !== "pods") return;
    const key = event.uid || `${event.namespace}/${event.name}`;
    if (event.type === "DELETED") {
      phases.delete(key);
      say(t("pod.gone", event), { outcome: "ok" });
    } else if (phases.get(key) !== event.phase) {
      phases.set(key, event.phase);
      const outcome = { Ready: "allow", Failed: "error", CrashLoop: "error", Pending: "wait", Terminating: "wait" }[event.phase] ?? "ok";
      say(t(`pod.${event.phase}`, event), { outcome });
    }
  });
  const roles = new Map();
  on("raft", (event) => {
    const was = roles.get(event.member);
    const state = `${event.role}/${event.term}/${event.lead}`;
    roles.set(event.member, state);
    if (was === undefined || was === state) return;
    if (event.role === "follower") say(t(event.lead ? "raft.follower" : "raft.alone", event), { outcome: event.lead ? "ok" : "wait", ...said() });
    else say(t(`raft.${event.role}`, event), { outcome: event.role === "leader" ? "allow" : "wait", ...said() });
  });
  const state = (event) => {
    const key = !event.up ? "process.down" : event.paused ? "process.paused" : "process.up";
    say(t(key, event), { outcome: event.up ? (event.paused ? "wait" : "ok") : "error", ...said() });
  };
  on("process", state);
  on("host", state);
  on("effect", async (event) => {
    if (!event.text || !event.cause) return;
    const { text, lang } = await told(event.text);
    say(text, { lang, outcome: "change", href: `/clusters/${cluster}/requests/${event.cause}/`, quiet: true });
  });
}
