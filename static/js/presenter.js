// The presenter's window. It hears from the projector's window what that shows, sends it elsewhere and presses its keys; every link here
// opens over there. With followers allowed it tells the server where the projector is, now and every few seconds.

import { cluster } from "./feed.js";
import { call } from "./control.js";
import { t } from "./words.js";
import { bare, line } from "./stagehand.js";

const SILENT_MS = 2_500;
const ASK_MS = 1_000;
const BEAT_MS = 8_000;
const here = `/clusters/${encodeURIComponent(cluster)}/`;
const NOTES = `clearplane.notes.${cluster}`;
const token = crypto.randomUUID();

const say = line(cluster, hear);
const find = (selector) => document.querySelector(selector);
let shown = null;
let heard = -Infinity;
let began = Date.now();
let sharing = false;
let told = 0;

export function start() {
  document.addEventListener("click", press);
  document.addEventListener("keydown", keys);
  document.addEventListener("change", (event) => event.target.matches?.("[data-share]") && share(event.target.checked));
  document.addEventListener("input", (event) => event.target.matches?.("[data-notes]") && keep(event.target.value));
  addEventListener("pagehide", () => sharing && end());
  setInterval(tick, ASK_MS);
  moved();
  tick();
}

// Its parts were read anew, at another moment.
export function moved() {
  const notes = find("[data-notes]");
  try {
    notes.value = localStorage.getItem(NOTES) ?? "";
  } catch {
    // A browser that keeps nothing: notes last as long as the window.
  }
  find("[data-share]").checked = sharing;
  draw();
}

function keep(words) {
  try {
    localStorage.setItem(NOTES, words.slice(0, 100_000));
  } catch {
    // See above.
  }
}

// ---- the projector -----------------------------------------------------------------------------------------------------

function hear(message) {
  if (message.kind !== "shows") return;
  heard = performance.now();
  shown = message;
  draw();
  if (sharing) tell();
}

function tick() {
  say({ kind: "want" });
  const now = new Date();
  find("[data-wall]").textContent = now.toLocaleTimeString(document.documentElement.lang, { hour: "numeric", minute: "2-digit" });
  const seconds = Math.floor((Date.now() - began) / 1000);
  find("[data-elapsed]").textContent = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
  if (shown && performance.now() - heard > SILENT_MS) {
    shown = null;
    draw();
  }
  if (sharing && performance.now() - told > BEAT_MS) tell();
}

function draw() {
  find("[data-none]").hidden = Boolean(shown);
  find("[data-shows]").hidden = !shown;
  const state = find("[data-shows-state]");
  state.hidden = !shown;
  for (const button of document.querySelectorAll("[data-key]")) button.disabled = !shown;
  if (!shown) return;
  state.textContent = t(shown.blank ? "presenter.blank" : shown.at ? "presenter.past" : "presenter.live");
  state.className = `chip ${shown.blank ? "is-wait" : shown.at ? "is-change" : "is-live"}`;
  find("[data-shows-title]").textContent = shown.title;
  find("[data-shows-caption]").textContent = shown.caption;
  find("[data-next]").textContent = shown.next || t("presenter.next");
  find("[data-key=blank]").setAttribute("aria-pressed", String(shown.blank));
  copy(shown.picture);
}

let copied = "";

// A still of the picture, without names that exist here already and without styles of its own.
function copy(html) {
  if (html === copied) return;
  copied = html;
  const still = new DOMParser().parseFromString(html.replaceAll(/\sstyle="[^"]*"/g, ""), "text/html").body;
  for (const node of still.querySelectorAll("script, style, template, link, iframe")) node.remove();
  for (const node of still.querySelectorAll("[id]")) node.removeAttribute("id");
  for (const node of still.querySelectorAll("[data-map], [data-live], [data-steps], [data-panel]")) for (const name of ["data-map", "data-live", "data-steps", "data-panel"]) node.removeAttribute(name);
  find("[data-picture-copy]").replaceChildren(...[...still.childNodes].map((node) => document.adoptNode(node)));
}

const go = (address) => say({ kind: "go", url: bare(address) });

function press(event) {
  const key = event.target.closest?.("[data-key]");
  if (key) say({ kind: "key", name: key.dataset.key });
  if (event.target.closest?.("[data-reset]")) {
    began = Date.now();
    tick();
  }
  if (event.target.closest?.("[data-moment]")) moment();
  const link = event.target.closest?.("a[href]");
  if (!link || link.dataset.here !== undefined || link.target || event.ctrlKey || event.metaKey || event.shiftKey) return;
  const there = new URL(link.getAttribute("href"), location.href);
  if (there.origin !== location.origin || !there.pathname.startsWith(here)) return;
  event.preventDefault();
  event.stopPropagation();
  go(there.href);
}

// The projector's page at the moment that this window's tape shows.
function moment() {
  const there = new URL(shown?.url ?? here, location.origin);
  const at = document.body.dataset.at ?? "";
  if (at) there.searchParams.set("at", at);
  else there.searchParams.delete("at");
  go(there.href);
}

function keys(event) {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, select, textarea, [role=slider], .console, dialog")) return;
  const name = { PageDown: "next", ArrowRight: "next", PageUp: "back", ArrowLeft: "back", b: "blank", B: "blank" }[event.key];
  if (!name) return;
  event.preventDefault();
  event.stopPropagation();
  say({ kind: "key", name });
}

// ---- followers ---------------------------------------------------------------------------------------------------------

async function share(on) {
  sharing = on;
  if (on) await tell();
  else await end();
  if (on === sharing) find("[data-share-said]").textContent = t(on ? "presenter.shared" : "presenter.quiet");
}

async function tell() {
  told = performance.now();
  const url = shown ? bare(shown.url) : here;
  try {
    await call("PUT", "/presenter", { url, title: shown?.title ?? "", token });
  } catch (error) {
    sharing = false;
    find("[data-share]").checked = false;
    find("[data-share-said]").textContent = error.message;
  }
}

const end = () => call("DELETE", "/presenter", { token }, { keepalive: true }).catch(() => {});
