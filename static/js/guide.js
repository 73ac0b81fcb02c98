// The first minute beside the picture: run this command, watch it travel, open its trace. It ticks itself off from the feed, whether the command was
// typed here or in somebody's own terminal. Put away it stays away (a cookie), and one button brings it back.

import { call } from "./control.js";
import { cluster, on } from "./feed.js";
import { open } from "./dock.js";
import { t, what } from "./words.js";

const KEY = `guide:${cluster}`;
const ORDER = ["stored", "pods", "node", "ready"];
const BORN = 32;
const fresh = () => ({ name: "web", namespace: "default", id: 0, code: 0, way: [], opened: false });

let state = fresh();
let mine = new Set();
const born = new Map(); // a request → the Deployment that it made: somebody may give it any name

const guide = () => document.querySelector("[data-guide]");

export function start() {
  try {
    state = { ...state, ...JSON.parse(sessionStorage.getItem(KEY) ?? "{}") };
  } catch {
    // It begins anew.
  }
  document.addEventListener("click", (event) => {
    const deed = event.target.closest?.("[data-guide-do]")?.dataset.guideDo;
    if (deed) DEEDS[deed]();
    if (event.target.closest?.("[data-guide-trace]")) {
      state.opened = true;
      keep();
    }
  });
  document.addEventListener("console-request", (event) => {
    if (event.detail.line.trim() === line()) for (const id of event.detail.requests) mine.add(id);
  });
  on("request", request);
  on("object", object);
  document.addEventListener("htmx:afterSwap", draw);
  document.addEventListener("moved", draw);
  if (!state.id) choose();
  draw();
}

const line = () => `kubectl create deployment ${state.name} --image=nginx`;

const DEEDS = {
  async type() {
    (await open()).type(line());
    guide().querySelector("[data-guide-typed]").hidden = false;
  },
  async copy() {
    try {
      await navigator.clipboard.writeText(line());
      tell(t("g.copied"));
    } catch {
      getSelection().selectAllChildren(guide().querySelector("[data-guide-line]"));
    }
  },
  away() {
    put(true);
    guide().querySelector("[data-guide-do=back]").focus();
  },
  back() {
    if (state.opened) {
      state = fresh();
      mine = new Set();
      keep();
      choose();
    }
    put(false);
    draw();
    guide().querySelector("[data-guide-do=type]").focus();
  },
};

function put(away) {
  guide().toggleAttribute("data-away", away);
  document.body.classList.toggle("is-guided", !away);
  document.cookie = `guide=${away ? "away" : "here"}; path=/; max-age=31536000; samesite=lax`;
}

// A name that nothing has yet, so that the command works.
async function choose() {
  try {
    const answer = await call("GET", "/objects/deployments?namespace=default");
    const names = new Set((Array.isArray(answer) ? answer : (answer.items ?? [])).map((one) => one.metadata.name));
    for (let n = 2; names.has(state.name); n += 1) state.name = `web-${n}`;
    draw();
  } catch {
    // The name stays; if it is taken, that is an answer worth tracing, too.
  }
}

function request(event) {
  if (state.id || event.verb !== "create" || event.resource !== "deployments" || !event.outside || event.initiator) return;
  if (mine.size && !mine.has(event.id)) return;
  Object.assign(state, { id: event.id, code: event.code }, born.get(event.id));
  if (event.code < 300) state.way.push("stored");
  tell(t("g.sent", { what: what(event), code: event.code }));
  keep();
  draw();
}

function object(event) {
  if (event.resource === "deployments" && event.type === "ADDED") {
    const { name, namespace } = event;
    born.set(event.cause, { name, namespace });
    if (born.size > BORN) born.delete(born.keys().next().value);
    if (event.cause === state.id) Object.assign(state, { name, namespace });
  }
  if (!state.id || event.resource !== "pods" || event.namespace !== state.namespace || !event.name.startsWith(`${state.name}-`)) return;
  const reached = { Pending: 1, Creating: 2, Running: 2, Ready: 3 }[event.phase];
  if (reached === undefined || state.way.includes(ORDER[reached])) return;
  state.way = ORDER.slice(0, reached + 1);
  if (event.phase === "Ready") tell(t("g.ready", event));
  keep();
  draw();
}

function tell(text) {
  guide()?.querySelector("[data-guide-said]").replaceChildren(text);
}

function keep() {
  try {
    sessionStorage.setItem(KEY, JSON.stringify(state));
  } catch {
    // It is forgotten with the page.
  }
}

function draw() {
  const node = guide();
  if (!node) return;
  node.querySelector("[data-guide-line]").textContent = line();
  const done = [Boolean(state.id), state.way.includes("ready") || state.code >= 300, state.opened];
  const now = done.indexOf(false);
  node.querySelectorAll("[data-guide-step]").forEach((step, n) => {
    step.classList.toggle("is-done", done[n]);
    if (n === now) step.setAttribute("aria-current", "step");
    else step.removeAttribute("aria-current");
    step.querySelector(".guide-mark").textContent = done[n] ? "✓" : String(n + 1);
    step.querySelector("[data-guide-state]").textContent = done[n] ? t("g.done") : "";
  });
  for (const way of node.querySelectorAll("[data-guide-way]")) way.classList.toggle("is-reached", state.way.includes(way.dataset.guideWay));
  const trace = node.querySelector("[data-guide-trace]");
  trace.hidden = !state.id;
  node.querySelector("[data-guide-wait]").hidden = Boolean(state.id);
  node.querySelector("[data-guide-end]").hidden = !state.opened;
  if (state.id) {
    node.querySelector("[data-guide-typed]").hidden = true;
    trace.textContent = t("g.trace", { id: state.id });
    const kept = new URLSearchParams(location.search);
    const address = new URLSearchParams([...kept].filter(([name]) => ["screen", "lang", "theme"].includes(name)));
    trace.href = `/clusters/${encodeURIComponent(cluster)}/requests/${state.id}/${address.size ? `?${address}` : ""}`;
  }
}
