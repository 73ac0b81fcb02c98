// Stepping through a request: one stage at a time, by button, arrow keys or a presentation clicker. The address keeps the step.
// What it caused is a tree with keys of its own; the object at a stage is fetched when one comes to it.

import { say } from "./captions.js";
import { on } from "./feed.js";
import { t } from "./words.js";

// What listens beyond the page's own parts, until another moment's parts stand in their place.
let life = new AbortController();
let heard = {};

export function start() {
  for (const kind of ["request", "effect", "back"]) on(kind, (event) => heard[kind]?.(event));
  moved();
}

// Another moment is shown: the same request as it was then, or a page that says it is not there.
export function moved() {
  life.abort();
  life = new AbortController();
  heard = {};
  const page = document.querySelector("[data-trace]");
  if (page) show(page);
}

function show(page) {
  const panels = [...page.querySelectorAll("[data-panel]")];
  const links = [...page.querySelectorAll("[data-step]")];
  const last = panels.length;
  let at = Number(page.dataset.atStep);

  function go(to, focus = false) {
    if (to < 1 || to > last || to === at) return;
    at = to;
    for (const panel of panels) panel.hidden = Number(panel.dataset.panel) !== at;
    for (const link of links) {
      const here = Number(link.dataset.step) === at;
      link.parentElement.classList.toggle("here", here);
      if (here) {
        link.setAttribute("aria-current", "step");
        link.scrollIntoView({ block: "nearest" });
        if (focus) link.focus({ preventScroll: true });
      } else link.removeAttribute("aria-current");
    }
    page.querySelector("[data-where]").textContent = t("where", { at, last });
    buttons();
    history.replaceState(null, "", address(at));
    object(at).then(() => object(at + 1));
  }

  function buttons() {
    for (const [name, off] of [["back", at === 1], ["first", at === 1], ["next", at === last], ["last", at === last]]) {
      const button = page.querySelector(`[data-go=${name}]`);
      button.setAttribute("href", address(target(name)));
      if (off) button.setAttribute("aria-disabled", "true");
      else button.removeAttribute("aria-disabled");
    }
  }

  const target = (name) => ({ first: 1, back: Math.max(1, at - 1), next: Math.min(last, at + 1), last })[name];

  page.addEventListener("click", (event) => {
    const button = event.target.closest("[data-go]");
    const link = event.target.closest("[data-step]");
    const copy = event.target.closest("[data-copy]");
    if (copy) return copied(copy);
    if ((!button && !link) || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    go(button ? target(button.dataset.go) : Number(link.dataset.step));
  });

  const KEYS = { ArrowRight: "next", PageDown: "next", ArrowDown: "next", ArrowLeft: "back", PageUp: "back", ArrowUp: "back", Home: "first", End: "last" };
  document.addEventListener("keydown", (event) => {
    const name = KEYS[event.key];
    if (!name || event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, select, textarea, pre, [tabindex='0']:not(.step-col), .console, .tape")) return;
    if (/^Arrow(Up|Down)$/.test(event.key) && !event.target.closest("[data-stages]")) return;
    event.preventDefault();
    go(target(name), Boolean(event.target.closest("[data-stages]")));
  }, { signal: life.signal });

  if (last) buttons();
  if (at > 1) page.querySelector(".stage.here a")?.scrollIntoView({ block: "nearest" });
  if (last) object(at + 1);
  const caused = page.querySelector("[data-caused]");
  tree(caused);

  const id = Number(page.dataset.trace);
  if (document.body.dataset.at) return;
  grow(caused, id, "open" in page.dataset);
}

// This address with another step, and everything else as it is.
function address(step, part = "") {
  const query = new URLSearchParams(location.search);
  query.set("step", step);
  if (part) query.set("part", part);
  return `?${query}`;
}

// The object as it was at a step: drawn once, when one comes near it.
async function object(number) {
  const place = document.querySelector(`[data-panel="${number}"] [data-object]`);
  if (!place || "drawn" in place.dataset) return;
  place.dataset.drawn = "";
  try {
    const answer = await fetch(address(number, "object"), { headers: { "HX-Request": "true" } });
    if (!answer.ok) throw new Error(String(answer.status));
    place.innerHTML = await answer.text();
  } catch {
    delete place.dataset.drawn;
  }
}

async function copied(button) {
  await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent);
  button.textContent = t("copied");
  say(t("copied"));
  setTimeout(() => (button.textContent = t("copy")), 1500);
}

// -- the tree of what it caused -------------------------------------------------------------------------------------

const nodes = (section) => [...section.querySelectorAll("[role=treeitem]")].filter((node) => !node.parentElement.closest('[role=treeitem][aria-expanded="false"]'));

function fold(node, open) {
  if (node.hasAttribute("aria-expanded")) node.setAttribute("aria-expanded", String(open));
}

function here(section, node, focus = true) {
  if (!node) return;
  for (const other of section.querySelectorAll('[role=treeitem][tabindex="0"]')) other.tabIndex = -1;
  node.tabIndex = 0;
  if (focus) {
    node.focus({ preventScroll: true });
    node.querySelector(".cause").scrollIntoView({ block: "nearest" });
  }
}

function tree(section) {
  // What a plug-in or a rule said unfolds on demand: the tree itself comes first.
  for (const node of section.querySelectorAll("[role=treeitem]:has(> .unfolded)")) fold(node, node.classList.contains("critical") && Boolean(node.querySelector(".matrix")));
  section.addEventListener("click", (event) => {
    const all = event.target.closest("[data-fold]");
    if (all) {
      for (const node of section.querySelectorAll("[aria-expanded]")) fold(node, all.dataset.fold === "none");
      return;
    }
    const row = event.target.closest(".cause");
    if (!row || event.target.closest("a")) return;
    const node = row.closest("[role=treeitem]");
    fold(node, node.getAttribute("aria-expanded") !== "true");
    here(section, node);
  });
  section.addEventListener("keydown", (event) => {
    const node = event.target.closest("[role=treeitem]");
    if (!node || event.target !== node || event.ctrlKey || event.metaKey || event.altKey) return;
    const shown = nodes(section);
    const index = shown.indexOf(node);
    const open = node.getAttribute("aria-expanded");
    const child = node.querySelector(":scope > [role=group] > [role=treeitem]");
    const act = {
      ArrowDown: () => here(section, shown[index + 1]),
      ArrowUp: () => here(section, shown[index - 1]),
      Home: () => here(section, shown[0]),
      End: () => here(section, shown.at(-1)),
      ArrowRight: () => (open === "false" ? fold(node, true) : here(section, child)),
      ArrowLeft: () => (open === "true" ? fold(node, false) : here(section, node.parentElement.closest("[role=treeitem]"))),
      Enter: () => (node.querySelector(":scope > .cause a") ?? { click: () => fold(node, open !== "true") }).click(),
    }[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  });
}

// What the request causes goes on after its answer: whenever one of its descendants asks or does something, the tree is read anew.
function grow(section, id, open) {
  const family = new Set([id]);
  let due = 0;
  const learn = () => {
    for (const link of section.querySelectorAll("[data-cause]")) family.add(Number(link.dataset.cause));
  };
  const soon = (event) => {
    if (event.t === "request" && family.has(event.initiator)) family.add(event.id);
    else if (event.t === "request" || !family.has(event.cause)) return;
    due ||= setTimeout(refresh, 400);
  };
  async function refresh() {
    if (!section.isConnected) return;
    try {
      const query = new URLSearchParams(location.search);
      query.set("part", "causes");
      const answer = await fetch(`?${query}`, { headers: { "HX-Request": "true" } });
      if (!answer.ok) return;
      const text = (node) => node.querySelector(".text").textContent;
      const folded = new Set([...section.querySelectorAll('[aria-expanded="false"]')].map(text));
      const focused = section.contains(document.activeElement) ? document.activeElement.closest("[role=treeitem]") : null;
      const was = focused && text(focused);
      const fresh = document.createElement("div");
      fresh.innerHTML = await answer.text();
      section.replaceChildren(...fresh.childNodes);
      for (const node of section.querySelectorAll("[role=treeitem]")) {
        if (node.querySelector(":scope > .unfolded") || folded.has(text(node))) fold(node, !folded.has(text(node)) && !node.querySelector(":scope > .unfolded"));
        if (was && text(node) === was) here(section, node);
      }
      learn();
    } catch {
      // The next event asks again; the strip at the top says that the connection is lost.
    } finally {
      due = 0;
    }
  }
  learn();
  heard = {
    request: (event) => {
      // A request that was still under way is read anew when it has its answer.
      if (open && event.id === id && event.endMicros != null) location.reload();
      soon(event);
    },
    effect: soon,
    // What happened between the drawing of this page and its feed.
    back: () => (due ||= setTimeout(refresh, 0)),
  };
}
