// A packet's walk through a node's rules: the answer of POST …/packets, one step at a time, the line it tries lit in the text.

import { call } from "./control.js";
import { say } from "./captions.js";
import { t } from "./words.js";

export function start() {
  const rules = document.querySelector("[data-rules]");
  const first = rules?.querySelector(".rule.concerned");
  if (first) rules.scrollTop = Math.max(0, first.offsetTop - rules.offsetTop - 60);
  const only = document.querySelector("[data-only]");
  only?.addEventListener("change", () => rules?.classList.toggle("only", only.checked));
  // A projector has no room for the other Services' lines.
  if (only && document.documentElement.dataset.theme === "screen") {
    only.checked = true;
    rules?.classList.add("only");
  }
  document.querySelector("[data-auto]")?.addEventListener("change", (event) => event.currentTarget.requestSubmit());
  const form = document.querySelector("[data-packet]");
  form?.addEventListener("submit", (event) => {
    event.preventDefault();
    send(form, rules);
  });
}

async function send(form, rules) {
  const data = new FormData(form);
  try {
    const at = document.body.dataset.at;
    const walk = await call("POST", at ? `/packets?at=${encodeURIComponent(at)}` : "/packets", {
      from: data.get("from"),
      to: data.get("to"),
      protocol: data.get("protocol"),
      port: Number(data.get("port")),
      node: data.get("node"),
      ...(data.get("mode") ? { mode: data.get("mode") } : {}),
    });
    show(walk, rules);
  } catch (error) {
    say(t("failed", { why: error.message }), { outcome: "error" });
  }
}

function show(walk, rules) {
  const panel = document.querySelector("[data-walk]");
  const list = panel.querySelector("[data-walk-steps]");
  const steps = walk.steps ?? [];
  panel.hidden = false;
  const verdict = panel.querySelector("[data-walk-verdict]");
  const always = (walk.outcomes || []).every((outcome) => outcome.masquerade);
  const tail = walk.masquerade ? ` ${t(always ? "masquerade" : "masquerade.some")}` : "";
  verdict.textContent = `${walk.verdict}. ${t(`walk.${walk.verdict}`, { endpoints: (walk.endpoints ?? []).join(", ") })}${tail}`;
  const back = (i) => i > 0 && steps[i - 1].hook === "POSTROUTING" && steps[i].hook !== "POSTROUTING";
  list.replaceChildren(
    ...steps.map((step, i) => {
      const item = document.createElement("li");
      const button = document.createElement("button");
      button.type = "button";
      button.className = "mono";
      button.textContent = `${i + 1}. ${[step.hook, step.table, step.chain].filter(Boolean).join(" › ")}: ${step.outcome}`;
      button.addEventListener("click", () => go(i));
      // The walk tells every endpoint that can be chosen: after the first way come the others.
      if (back(i)) {
        const other = document.createElement("p");
        other.className = "second";
        other.textContent = t("walk.other");
        item.append(other);
      }
      item.append(button);
      return item;
    }),
  );
  for (const line of rules?.querySelectorAll(".tried, .here") ?? []) line.classList.remove("tried", "here");
  const lines = steps.map((step) => find(step, rules));
  for (const line of lines) line?.classList.add("tried");
  let at = -1;

  function go(to) {
    if (!steps.length) return;
    at = Math.min(Math.max(to, 0), steps.length - 1);
    for (const line of rules.querySelectorAll(".here")) line.classList.remove("here");
    lines[at]?.classList.add("here");
    lines[at]?.scrollIntoView({ block: "center" });
    [...list.children].forEach((item, i) => {
      const button = item.lastElementChild;
      if (i === at) button.setAttribute("aria-current", "step");
      else button.removeAttribute("aria-current");
    });
    list.children[at]?.scrollIntoView({ block: "nearest" });
    panel.querySelector("[data-walk-where]").textContent = t("where", { at: at + 1, last: steps.length });
    const step = steps[at];
    say(`${step.chain}: ${step.rule ?? ""} → ${step.outcome}`, { outcome: "ok" });
  }

  const moves = { first: () => 0, back: () => at - 1, next: () => at + 1, last: () => steps.length - 1 };
  for (const button of panel.querySelectorAll("[data-walk-go]")) button.onclick = () => go(moves[button.dataset.walkGo]());
  document.onkeydown = (event) => {
    const name = { ArrowRight: "next", PageDown: "next", ArrowLeft: "back", PageUp: "back" }[event.key];
    if (!name || event.target.closest("input, select, textarea, .tape, .console, .rules")) return;
    event.preventDefault();
    go(moves[name]());
  };
  if (steps.length) go(0);
  else verdict.textContent += ` ${t("walk.none")}`;
}

// A step names its line by number when the walk knows it; else by its text within its chain.
function find(step, rules) {
  if (!rules) return null;
  const numbered = step.line ? rules.querySelector(`#L${Number(step.line)}`) : null;
  const text = (step.rule ?? "").trim();
  const fits = (line) => line && (!text || line.lastElementChild.textContent.trim() === text || line.lastElementChild.textContent.includes(text));
  if (fits(numbered)) return numbered;
  for (const line of rules.querySelectorAll(`[data-table="${CSS.escape(step.table ?? "")}"][data-chain="${CSS.escape(step.chain ?? "")}"]`)) if (text && fits(line)) return line;
  return numbered;
}
