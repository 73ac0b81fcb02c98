// The frame: revision on the plane line, clock and its control, people watching, the lost connection's strip, keys.

import { call } from "./control.js";
import { clock, cluster, now, on, setClock } from "./feed.js";
import { say } from "./captions.js";
import { instant, speed, t, told, what, who } from "./words.js";

const root = document.documentElement;
const all = (selector) => document.querySelectorAll(selector);

export function start() {
  revision();
  connection();
  controls();
  narrate();
}

function text(selector, value) {
  for (const node of all(`${selector}:not(body)`)) if (node.textContent !== value) node.textContent = value;
}

function revision() {
  const notch = document.querySelector("[data-notch]");
  on("frame", (frame) => {
    if (frame.revision != null) {
      text("[data-revision]", String(frame.revision));
      notch?.setAttribute("x", `${(1 + (frame.revision % 200) * 0.42).toFixed(2)}%`);
    }
    if (frame.watching != null) text("[data-watching]", t("watching", { n: frame.watching }));
    const waiting = document.querySelector("[data-waiting]");
    if (waiting && frame.waiting != null) {
      waiting.hidden = frame.waiting === 0;
      waiting.textContent = t("waiting", { n: frame.waiting });
    }
  });
  on("clock", () => {
    text("[data-speed]", clock.paused ? t("paused") : speed(clock.rate));
    text("[data-do=toggle]", clock.paused ? t("resume") : t("pause"));
    const select = document.getElementById("rate");
    if (select && document.activeElement !== select) select.value = String(clock.rate);
    root.classList.toggle("is-paused", clock.paused);
  });
  // The clock's figures: ten times a second is as fast as anyone reads.
  setInterval(() => {
    if (document.hidden) return;
    const value = instant(now());
    text("[data-now]", value);
    text("[data-now-short]", value);
  }, 100);
}

function connection() {
  const strip = document.querySelector("[data-lost]");
  let shown = 0;
  on("lost", () => {
    // A blink is nobody's business: say it only when it lasts.
    if (!shown) shown = setTimeout(() => {
      strip.hidden = false;
      strip.querySelector("[data-lost-text]").textContent = t("lost");
      root.classList.add("is-lost");
    }, 600);
  });
  on("back", () => {
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
    say(t("failed", { why: error.message }), { outcome: "error" });
    return null;
  }
}

export const toggle = () => attempt(async () => setClock(await call("PATCH", "/clock", { paused: !clock.paused })));
export const step = (request) => attempt(async () => setClock(clockOf(await call("POST", "/clock/step", request ? { request } : {}))));
export const act = (path) => attempt(() => call("POST", `/${path}`, {}));

const clockOf = (answer) => answer.clock ?? answer;

function controls() {
  document.addEventListener("click", (event) => {
    const button = event.target.closest?.("[data-do]");
    if (button?.dataset.do === "toggle") toggle();
    if (button?.dataset.do === "step") step();
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
  document.getElementById("rate")?.addEventListener("change", (event) => {
    const value = event.target.value;
    attempt(async () => setClock(await call("PATCH", "/clock", { rate: value === "max" ? "max" : Number(value) })));
  });
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || !cluster) return;
    const here = event.target;
    if (here.closest("input, select, textarea, [contenteditable]")) return;
    const pressable = here.closest("button, a, summary");
    if (event.key === "." || (event.key === " " && !pressable)) {
      event.preventDefault();
      toggle();
    }
    if (event.key === "Escape") for (const menu of all(".menu[open]")) menu.open = false;
  });
}

// What every page tells in words.
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
    if (event.role === "follower") say(t(event.lead ? "raft.follower" : "raft.alone", event), { outcome: event.lead ? "ok" : "wait" });
    else say(t(`raft.${event.role}`, event), { outcome: event.role === "leader" ? "allow" : "wait" });
  });
  const state = (event) => {
    const key = !event.up ? "process.down" : event.paused ? "process.paused" : "process.up";
    say(t(key, event), { outcome: event.up ? (event.paused ? "wait" : "ok") : "error" });
  };
  on("process", state);
  on("host", state);
  on("effect", async (event) => {
    if (!event.text || !event.cause) return;
    const { text, lang } = await told(event.text);
    say(text, { lang, outcome: "change", href: `/clusters/${cluster}/requests/${event.cause}/`, quiet: true });
  });
}
