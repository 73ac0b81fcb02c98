// Looking at a moment: the page's address gets ?at=…, its parts are read from the server and put in the place of those shown. The feed, the
// tape and the console stay as they are. Without scripts the same address opens the same page.
//
// A page's module that exports `moved()` is told when its parts were replaced; a page whose module does not is loaded as a whole. A module may
// also export `keeps`, selectors of parts of main that stay as they are: `moved` is given what would have come in their place.

import { call } from "./control.js";
import { clock, cluster, hold, live, moved, past, release } from "./feed.js";
import { say } from "./captions.js";
import { instant, t } from "./words.js";

const body = document.body;
const SLOW_MS = 300;
const FACTS = ["at", "exact", "now", "rate", "paused", "revision", "cursor", "liveNow", "liveRate", "livePaused", "problem"];

let page = {};
let asked = null;

export const at = () => body.dataset.at ?? "";
export const exact = () => body.dataset.exact ?? at();

export function start(module) {
  page = module;
  addEventListener("popstate", () => {
    const there = new URLSearchParams(location.search).get("at") ?? "";
    // A page's own steps (a stage, a selection) are its own business, unless the moment changes with them.
    if (there !== at()) look(there, { address: location.href, push: false });
  });
}

export function address(moment, from = location.href) {
  const there = new URL(from);
  if (moment) there.searchParams.set("at", moment);
  else there.searchParams.delete("at");
  return there.href;
}

// Show a moment ("" is now). Resolves to whether it is shown.
export async function look(moment, { push = true, address: there = address(moment) } = {}) {
  asked?.abort();
  const mine = (asked = new AbortController());
  if (page.script && !page.moved) {
    if (there === location.href) location.reload();
    else location.assign(there);
    return false;
  }
  if (!moment) hold();
  const slow = setTimeout(() => document.documentElement.classList.add("is-looking"), SLOW_MS);
  try {
    const answer = await fetch(there, { signal: mine.signal, headers: { "X-Look": "1" } });
    const text = await answer.text();
    const drawn = new DOMParser().parseFromString(text, "text/html");
    if (!drawn.querySelector("main")) throw new Error(`${answer.status}`);
    if (answer.status === 410) throw new Error(drawn.querySelector("main .second")?.textContent || drawn.querySelector("h1").textContent);
    if (!answer.ok && answer.status !== 404 && answer.status !== 503) throw new Error(`${answer.status}`);
    if (push) history.pushState(null, "", there);
    else history.replaceState(null, "", there);
    put(drawn);
    return true;
  } catch (error) {
    if (error.name === "AbortError") return false;
    release();
    say(t("look.failed", { why: error.message }), { outcome: "error" });
    document.dispatchEvent(new CustomEvent("moved"));
    return false;
  } finally {
    clearTimeout(slow);
    if (asked === mine) {
      asked = null;
      document.documentElement.classList.remove("is-looking");
    }
  }
}

// The same moment again: what the page shows may be out of date.
export const reread = () => look(at(), { address: location.href, push: false });

function put(drawn) {
  const focus = place(document.activeElement);
  const open = new Set([...document.querySelectorAll("main details[open], .inspector details[open]")].map(title));
  const scrolls = [...document.querySelectorAll("main, main *, .middle, .inspector")].filter((node) => node.scrollTop || node.scrollLeft).map((node) => [route(node), node.scrollTop, node.scrollLeft]);
  for (const name of FACTS) {
    if (name in drawn.body.dataset) body.dataset[name] = drawn.body.dataset[name];
    else delete body.dataset[name];
  }
  document.title = drawn.title;
  const kept = (page.keeps ?? []).map((selector) => keep(selector, drawn));
  swap(document.querySelector("main"), drawn.querySelector("main"));
  swap(document.querySelector(".inspector"), drawn.querySelector(".inspector"));
  for (const part of document.querySelectorAll("[data-swap]")) {
    const fresh = drawn.querySelector(`[data-swap="${part.dataset.swap}"]`);
    if (fresh && fresh.outerHTML !== part.outerHTML) part.replaceWith(document.adoptNode(fresh));
  }
  for (const details of document.querySelectorAll("main details, .inspector details")) if (open.has(title(details))) details.open = true;
  for (const [where, top, left] of scrolls) {
    const node = document.querySelector(where);
    if (node) [node.scrollTop, node.scrollLeft] = [top, left];
  }
  const back = focus && document.querySelector(focus);
  if (back && back !== document.activeElement) back.focus({ preventScroll: true });
  moved();
  page.moved?.(kept);
  document.dispatchEvent(new CustomEvent("moved"));
}

function keep(selector, drawn) {
  const [stays, fresh] = [document.querySelector(`main ${selector}`), drawn.querySelector(`main ${selector}`)];
  if (!stays || !fresh) return null;
  fresh.replaceWith(drawn.adoptNode(stays));
  return fresh;
}

function swap(here, there) {
  if (!here || !there) return;
  here.className = there.className;
  here.replaceChildren(...[...there.childNodes].map((node) => document.adoptNode(node)));
  window.htmx?.process(here);
}

const title = (details) => details.id || details.querySelector("summary")?.textContent.trim();

// A selector that finds the same thing in the new picture, or "" when it will still be there.
function place(node) {
  if (!node?.closest("main, .inspector, [data-swap]") || node === document.body) return "";
  if (node.id) return `#${CSS.escape(node.id)}`;
  for (const name of ["data-uid", "data-process", "data-host", "data-key", "data-step", "data-cell", "data-do", "data-open", "name"]) {
    if (node.hasAttribute(name)) return `${node.localName}[${name}="${CSS.escape(node.getAttribute(name))}"]`;
  }
  return route(node);
}

// The way to a node by position.
function route(node) {
  const steps = [];
  for (let here = node; here && here !== body; here = here.parentElement) {
    if (here.id) {
      steps.unshift(`#${CSS.escape(here.id)}`);
      break;
    }
    steps.unshift(`${here.localName}:nth-child(${[...here.parentElement.children].indexOf(here) + 1})`);
  }
  return steps.join(" > ");
}

// What the last step came to: {at, event}. "What if" offers to do without it.
export let stepped = {};

// One step through what happened. By stage on a request's page, else by visible event. Forward from the last one is live again.
export async function step(direction) {
  const trace = document.querySelector("[data-trace]")?.dataset;
  const by = trace && (direction === "back" || "open" in trace) ? { by: "stage", request: Number(trace.trace) } : { by: "event" };
  const found = await call("POST", "/history/step", { at: exact(), direction, ...by });
  if (found.at && found.at === exact()) return say(t("step.first"), {});
  stepped = found;
  await look(found.at ?? "", { push: !past() });
  return found;
}

// The address of exactly this state, step, selection and language. Of the present: of the instant that is shown now.
export async function link() {
  let moment = exact();
  if (!moment) {
    const told = await call("GET", "/clock");
    moment = told.at || String(Math.floor(told.nowMicros));
  }
  const there = new URL(address(moment));
  there.searchParams.set("lang", body.dataset.lang);
  return there.href;
}

export const shown = () => (past() ? clock.nowMicros : live.nowMicros);
export const when = () => instant(shown());
export const home = `/clusters/${encodeURIComponent(cluster ?? "")}/`;
