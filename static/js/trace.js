// Stepping through a request: one stage at a time, by button, arrow keys or a presentation clicker. The address keeps the step.

import { on } from "./feed.js";
import { step as stepClock } from "./frame.js";
import { t } from "./words.js";

export function start() {
  const page = document.querySelector("[data-trace]");
  if (!page) return;
  const panels = [...page.querySelectorAll("[data-panel]")];
  const links = [...page.querySelectorAll("[data-step]")];
  const last = panels.length;
  let at = Number(page.dataset.at);

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
    history.replaceState(null, "", `?step=${at}`);
  }

  function buttons() {
    for (const [name, off] of [["back", at === 1], ["first", at === 1], ["next", at === last], ["last", at === last]]) {
      const button = page.querySelector(`[data-go=${name}]`);
      button.setAttribute("href", `?step=${target(name)}`);
      if (off) button.setAttribute("aria-disabled", "true");
      else button.removeAttribute("aria-disabled");
    }
  }

  const target = (name) => ({ first: 1, back: Math.max(1, at - 1), next: Math.min(last, at + 1), last })[name];

  page.addEventListener("click", (event) => {
    const button = event.target.closest("[data-go]");
    const link = event.target.closest("[data-step]");
    if ((!button && !link) || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    go(button ? target(button.dataset.go) : Number(link.dataset.step));
  });

  const KEYS = { ArrowRight: "next", PageDown: "next", ArrowDown: "next", ArrowLeft: "back", PageUp: "back", ArrowUp: "back", Home: "first", End: "last" };
  document.addEventListener("keydown", (event) => {
    const name = KEYS[event.key];
    if (!name || event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, select, textarea, pre, .console, .tape")) return;
    if (/^Arrow(Up|Down)$/.test(event.key) && !event.target.closest("[data-stages]")) return;
    event.preventDefault();
    go(target(name), Boolean(event.target.closest("[data-stages]")));
  });

  if (last) buttons();
  if (at > 1) page.querySelector(".stage.here a")?.scrollIntoView({ block: "nearest" });

  const id = Number(page.dataset.trace);
  grow(page.querySelector("[data-caused]"), id);

  // A request that is still under way: read it anew when it has its answer.
  if (page.dataset.open) {
    on("request", (event) => event.id === id && event.endMicros != null && location.reload());
    document.addEventListener("keydown", (event) => event.key === "s" && !event.target.closest("input, select") && stepClock(id));
  }
}

// What the request causes goes on after its answer: whenever one of its descendants asks or does something, the tree is read anew.
function grow(section, id) {
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
    try {
      const answer = await fetch("?part=causes", { headers: { "HX-Request": "true" } });
      if (!answer.ok) return;
      const here = section.contains(document.activeElement) ? document.activeElement.dataset.cause : "";
      section.innerHTML = await answer.text();
      if (here) section.querySelector(`[data-cause="${CSS.escape(here)}"]`)?.focus();
      learn();
    } catch {
      // The next event asks again; the strip at the top says that the connection is lost.
    } finally {
      due = 0;
    }
  }
  learn();
  on("request", soon);
  on("effect", soon);
  // What happened between the drawing of this page and its feed.
  on("back", () => (due ||= setTimeout(refresh, 0)));
}
