// The projector: one picture, one sentence. A clicker's keys step, pause and blank; controls show only while somebody points or tabs to
// them; the presenter's window is told what is seen and may send this one elsewhere.

import { cluster } from "./feed.js";
import { t } from "./words.js";
import { line, stepTo } from "./stagehand.js";

const root = document.documentElement;
const POINT_MS = 3000;
const TELL_MS = 300;
const WANTED_MS = 8000;
const FORWARD = ["ArrowRight", "ArrowDown", "PageDown"];
const BACK = ["ArrowLeft", "ArrowUp", "PageUp"];

let pointing = 0;
let cover = null;

// ---- keys --------------------------------------------------------------------------------------------------------------

const typing = (event) => event.ctrlKey || event.metaKey || event.altKey || event.target.closest?.("input, select, textarea, [contenteditable], dialog[open]");

// Before the page's own keys: on a projector b blanks and f fills the screen.
window.addEventListener(
  "keydown",
  (event) => {
    if (typing(event)) return;
    const own = { b: blank, f: full }[event.key];
    if (!own && !cover) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    if (own) own();
    else if (!["Shift", "Tab"].includes(event.key)) blank();
  },
  true,
);

// After the page's own keys: what the page did not take steps the clock.
window.addEventListener("keydown", (event) => {
  if (event.defaultPrevented || typing(event) || event.target.closest?.("[role=slider], [role=tablist], .tape, pre, .code")) return;
  if (!FORWARD.includes(event.key) && !BACK.includes(event.key)) return;
  event.preventDefault();
  move(FORWARD.includes(event.key));
});

function move(forward) {
  const way = forward ? "next" : "back";
  // A lesson's step that is done is left before the picture's own steps go on; one that is not is never skipped so.
  const lesson = forward ? document.querySelector(".lesson [data-go=next].primary") : null;
  const own = lesson ?? document.querySelector(`[data-go=${way}]:not(.lesson *)`);
  const step = own ?? (forward ? null : document.querySelector(".lesson [data-go=back]")) ?? document.querySelector(forward ? "[data-do=forward], [data-do=step]" : "[data-do=back]");
  if (step?.getAttribute("aria-disabled") !== "true") step?.click();
}

export function blank(on = !cover) {
  if (on === Boolean(cover)) return;
  cover?.remove();
  cover = null;
  if (on) {
    cover = document.createElement("div");
    cover.className = "blank";
    cover.setAttribute("role", "status");
    const words = document.createElement("p");
    words.className = "visually-hidden";
    words.textContent = t("screen.blank");
    cover.append(words);
    cover.addEventListener("click", () => blank(false));
    document.body.append(cover);
  }
  tell();
}

function full() {
  (document.fullscreenElement ? document.exitFullscreen() : root.requestFullscreen()).catch(() => {});
}

// ---- pointing ----------------------------------------------------------------------------------------------------------

document.addEventListener("pointermove", (event) => {
  if (event.movementX === 0 && event.movementY === 0) return; // a page that changes under a resting pointer
  root.classList.add("is-pointed");
  clearTimeout(pointing);
  pointing = setTimeout(() => root.classList.remove("is-pointed"), POINT_MS);
});

// ---- the sentence ------------------------------------------------------------------------------------------------------

// On a page of steps the sentence is the step's own.
function step() {
  const panel = document.querySelector("main [data-panel]:not([hidden])");
  return panel && { title: text(panel.querySelector("h2")), why: text(panel.querySelector(".reason")) || text(panel.querySelector(".question")) };
}

const text = (node) => node?.textContent.trim().replace(/\s+/g, " ") ?? "";

function sentence() {
  const here = step();
  const foot = document.querySelector("[data-sentence]");
  // A document says what it is until something happens.
  const told = document.querySelector(".foot [data-caption]");
  if (told && !document.querySelector("[data-caption-now]") && !told.textContent.trim()) told.textContent = text(document.querySelector("main .lead")) || document.title.split(" · ")[0];
  if (!here || !foot) return;
  const words = here.why ? `${here.title}: ${here.why}` : here.title;
  if (foot.textContent !== words) foot.textContent = words;
}

// ---- the presenter's window --------------------------------------------------------------------------------------------

let wanted = 0;
let said = "";
const say = cluster ? line(cluster, hear) : () => {};

function hear(message) {
  if (message.kind === "want") {
    wanted = performance.now();
    said = "";
    tell();
  } else if (message.kind === "go" && typeof message.url === "string") {
    const there = new URL(message.url, location.origin);
    if (there.origin !== location.origin || !there.pathname.startsWith("/clusters/")) return;
    there.searchParams.set("screen", "");
    if (!stepTo(there.href)) location.assign(there.href);
  } else if (message.kind === "key") {
    const act = { next: () => move(true), back: () => move(false), blank: () => blank(), toggle: () => document.querySelector("[data-do=toggle]")?.click() }[message.name];
    act?.();
    setTimeout(tell, 50);
  }
}

const PICTURES = ["main .picture svg[viewBox]", "main [data-panel]:not([hidden])", "main .rules", "main table", "main h1"];

function picture() {
  const node = PICTURES.map((selector) => document.querySelector(selector)).find(Boolean);
  return node ? node.outerHTML.slice(0, 400_000) : "";
}

function tell() {
  sentence();
  if (!cluster || performance.now() - wanted > WANTED_MS) return;
  const next = document.querySelector("main .stage.here, main [aria-current=step]")?.closest("li")?.nextElementSibling;
  const what = {
    kind: "shows",
    url: location.pathname + location.search,
    title: document.title.split(" · ")[0],
    caption: text(document.querySelector("[data-sentence], [data-caption-now], [data-caption]")),
    next: text(next?.querySelector(".label") ?? next),
    at: document.body.dataset.at ?? "",
    blank: Boolean(cover),
    picture: picture(),
  };
  const key = JSON.stringify(what);
  if (key === said) return;
  said = key;
  say(what);
}

setInterval(tell, TELL_MS);
sentence();
if (new URLSearchParams(location.search).has("autopilot") && cluster) (await import("./autopilot.js")).start();
