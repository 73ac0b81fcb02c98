// Faults by direct manipulation: stop, pause, cut, slow, lose, isolate; each is said, each can be repaired, each can be undone.
// Undo never rewinds: it makes a branch from just before the act (POST fork), where both futures stay.
// In: buttons in the inspector, letters on the focused thing, a menu on right click. Out: calls of the control API.

import { call, InThePast } from "./control.js";
import { cluster, now, past } from "./feed.js";
import { say } from "./captions.js";
import { open } from "./inspector.js";
import { t } from "./words.js";

const SLOW_MS = 200;
const LOSS = 0.3;
const KEEP = 20;
const store = `acts:${cluster}`;
const chosen = new Set();
let stage = null;

export function start(where) {
  stage = where;
  document.addEventListener("click", (event) => {
    const button = event.target.closest?.("[data-fault]");
    if (button) pressed(button);
  });
  stage.addEventListener("contextmenu", menu);
  stage.addEventListener("click", (event) => {
    const thing = event.target.closest("[data-host]");
    if (!thing || !event.shiftKey) return;
    event.preventDefault();
    choose(thing.dataset.host);
  });
  offerUndo();
}

// What a selected thing is: {kind: "host", name} and the like.
function subject(select) {
  const [kind, name] = [select.slice(0, select.indexOf(":")), select.slice(select.indexOf(":") + 1)];
  if (kind === "link") {
    const [a, b] = name.split("~");
    return { kind, name, a, b };
  }
  return { kind: kind === "node" ? "host" : kind, name };
}

async function pressed(button) {
  const box = button.closest("[data-faults]");
  const of = subject(box.dataset.faults);
  button.disabled = true;
  const more = { ms: Number(box.querySelector("[data-slow]")?.value ?? SLOW_MS), loss: Number(box.querySelector("[data-loss]")?.value ?? LOSS) };
  await act(button.dataset.fault, of, more);
  button.disabled = false;
}

// Do it, say it, remember the moment before it.
export async function act(name, of, { ms = SLOW_MS, loss = LOSS } = {}) {
  const link = { a: of.a, b: of.b };
  const work = {
    cut: ["/network/link", { ...link, loss: 1 }],
    slow: ["/network/link", { ...link, latencyMs: ms }],
    lossy: ["/network/link", { ...link, loss }],
    mend: ["/network/link", link],
    heal: ["/network/heal", {}],
    isolate: ["/network/partition", null],
  }[name] ?? [`/${of.kind === "process" ? "processes" : "hosts"}/${encodeURIComponent(of.name)}/${name}`, {}];
  try {
    if (name === "isolate") work[1] = { groups: await sides(of.names ?? [of.name]) };
    const before = await moment();
    await call("POST", work[0], work[1]);
    say(t(`act.${name}`, { name: of.name, a: of.a, b: of.b, ms, n: Math.round(loss * 100) }), { outcome: ["start", "resume", "mend", "heal"].includes(name) ? "ok" : "change" });
    remember({ at: before, what: name, of: of.name });
  } catch (error) {
    // In the past the frame offers to do it in a fork.
    if (!(error instanceof InThePast)) say(t("failed", { why: error.message }), { outcome: "error" });
  }
  document.dispatchEvent(new CustomEvent("acted"));
}

// Several lines at once: one act, with one moment before it.
export async function cut(links) {
  try {
    const before = await moment();
    for (const link of links) await call("POST", "/network/link", { ...link, loss: 1 });
    const names = links.map(({ a, b }) => `${a} – ${b}`);
    say(links.length > 1 ? t("act.cutmany", { n: links.length, names: names.join("; ") }) : t("act.cut", links[0]), { outcome: "change" });
    remember({ at: before, what: "cut", of: names[0] });
  } catch (error) {
    if (!(error instanceof InThePast)) say(t("failed", { why: error.message }), { outcome: "error" });
  }
  document.dispatchEvent(new CustomEvent("acted"));
}

// The microsecond before an act, as a moment of the past.
async function moment() {
  const facts = await call("GET", "/clock").catch(() => null);
  return Math.max((facts?.nowMicros ?? Math.floor(now())) - 1, 0);
}

// Two sides: those, and everybody else.
async function sides(names) {
  const address = new URL(location.href);
  address.searchParams.set("part", "hosts");
  const all = await (await fetch(address)).json();
  return [names, all.filter((host) => !names.includes(host))];
}

// ---- keys and the menu ---------------------------------------------------------------------------------------------------

export function key(letter, thing) {
  const of = subject(thing.dataset.select ?? ":");
  const running = of.kind === "process" || of.kind === "host";
  const down = thing.classList.contains("down");
  if (letter === "x" && running) act(down ? "start" : "stop", of);
  else if (letter === "p" && running && !down) act(thing.classList.contains("paused") ? "resume" : "pause", of);
  else if (letter === "c" && of.kind === "link") act(bad(thing) ? "mend" : "cut", of);
  else if (letter === "c" && of.kind === "host") act("isolate", of);
  else if (letter === "l" && of.kind === "link") act(bad(thing) ? "mend" : "slow", of);
  else if (letter === "v" && of.kind === "host") choose(of.name);
  else if (letter === "u") undo();
  else if (letter === "ContextMenu") menuFor(thing, thing.getBoundingClientRect());
  else return false;
  return true;
}

const bad = (thing) => ["cut", "slow", "lossy", "apart"].some((word) => thing.classList.contains(word));

function menu(event) {
  const thing = event.target.closest("[data-map] a[data-select]");
  if (!thing) return;
  event.preventDefault();
  menuFor(thing, { left: event.clientX, bottom: event.clientY });
}

function menuFor(thing, at) {
  document.querySelector(".menu-faults")?.remove();
  const of = subject(thing.dataset.select);
  const down = thing.classList.contains("down");
  const deeds = ["open"];
  if (!past() && (of.kind === "process" || of.kind === "host")) deeds.push(...(down ? ["start"] : [thing.classList.contains("paused") ? "resume" : "pause", "stop"]));
  if (!past() && of.kind === "host") deeds.push("isolate");
  if (!past() && of.kind === "link") deeds.push(...(thing.classList.contains("apart") ? ["heal"] : bad(thing) ? ["mend"] : ["cut", "slow", "lossy"]));
  const box = document.createElement("div");
  box.className = "menu-faults";
  box.setAttribute("role", "menu");
  box.setAttribute("aria-label", t("menu", { name: of.name }));
  const head = document.createElement("p");
  head.textContent = of.name.replace("~", " – ");
  box.append(head);
  for (const deed of deeds) {
    const button = document.createElement("button");
    button.type = "button";
    button.setAttribute("role", "menuitem");
    button.textContent = t(`menu.${deed}`);
    button.addEventListener("click", () => {
      close();
      if (deed === "open") open(thing.dataset.select);
      else act(deed, of);
    });
    box.append(button);
  }
  const close = () => {
    box.remove();
    thing.focus({ preventScroll: true });
  };
  box.addEventListener("keydown", (event) => {
    const all = [...box.querySelectorAll("button")];
    const here = all.indexOf(document.activeElement);
    if (event.key === "Escape") close();
    else if (event.key === "ArrowDown" || event.key === "ArrowUp") all[(here + (event.key === "ArrowDown" ? 1 : -1) + all.length) % all.length].focus();
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
  box.addEventListener("focusout", (event) => box.contains(event.relatedTarget) || setTimeout(() => box.remove()));
  document.body.append(box);
  const size = box.getBoundingClientRect();
  box.style.left = `${Math.max(4, Math.min(at.left, innerWidth - size.width - 4))}px`;
  box.style.top = `${Math.max(4, Math.min(at.bottom, innerHeight - size.height - 4))}px`;
  box.querySelector("button").focus();
}

// ---- several hosts -------------------------------------------------------------------------------------------------------

function choose(name) {
  if (!chosen.delete(name)) chosen.add(name);
  mark();
}

export function mark() {
  for (const thing of stage.querySelectorAll("[data-host]")) thing.classList.toggle("is-chosen", chosen.has(thing.dataset.host));
  const line = document.querySelector("[data-chosen]");
  line.hidden = chosen.size === 0;
  if (line.hidden) return;
  const names = [...chosen];
  line.replaceChildren(t("chosen", { n: names.length }), button(t("chosen.isolate"), () => {
    chosen.clear();
    mark();
    act("isolate", { kind: "host", name: names.join(", "), names });
  }), button(t("chosen.clear"), () => {
    chosen.clear();
    mark();
  }));
}

function button(words, press) {
  const node = document.createElement("button");
  node.type = "button";
  node.textContent = words;
  node.addEventListener("click", press);
  return node;
}

// ---- undo ----------------------------------------------------------------------------------------------------------------

function acts() {
  try {
    return JSON.parse(sessionStorage.getItem(store) ?? "[]");
  } catch {
    return [];
  }
}

function remember(one) {
  sessionStorage.setItem(store, JSON.stringify([...acts(), one].slice(-KEEP)));
  offerUndo();
}

function offerUndo() {
  const line = document.querySelector("[data-undo]");
  if (!line) return;
  const last = acts().at(-1);
  line.hidden = !last || past();
  if (!line.hidden) line.replaceChildren(button(t("undo"), undo));
}

// A branch from just before the last act, paused; this cluster goes on.
async function undo() {
  const last = acts().at(-1);
  if (!last) return say(t("undo.none"), { outcome: "wait" });
  const line = document.querySelector("[data-undo]");
  line.hidden = false;
  line.replaceChildren(t("undo.works"));
  for (let n = 1; n < 50; n += 1) {
    const name = `${cluster}-before-${n}`.slice(-40);
    try {
      await call("POST", "/fork", { name, at: last.at });
      sessionStorage.setItem(store, JSON.stringify(acts().slice(0, -1)));
      say(t("undo.made", { name }), { href: `/clusters/${name}/` });
      const link = document.createElement("a");
      link.href = `/clusters/${name}/`;
      link.textContent = t("undo.open", { name });
      line.hidden = false;
      line.replaceChildren(link);
      link.focus();
      return;
    } catch (error) {
      if (/already/.test(error.message)) continue;
      say(t("failed", { why: error.message }), { outcome: "error" });
      return offerUndo();
    }
  }
}
