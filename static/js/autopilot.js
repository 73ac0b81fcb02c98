// The autopilot of an unattended wall: ?screen&autopilot=1. Map, then the newest request that somebody outside made, stage by stage, then
// etcd, the network, and the map again. It only looks: nothing is sent to the cluster but questions. Each page is loaded anew, so that
// nothing piles up; it is asked for before one goes there, so that a server that is away leaves the last picture standing.
// A key, a pointer or a touch stops it; two minutes after the last one it goes on.

import { cluster, connected } from "./feed.js";
import { call } from "./control.js";
import { t } from "./words.js";

const DWELL_MS = { map: 24_000, stage: 5_000, etcd: 16_000, network: 14_000 };
const REST_MS = 120_000;
const RETRY_MS = 5_000;
const home = `/clusters/${encodeURIComponent(cluster)}/`;
const query = new URLSearchParams(location.search);
const scale = Math.min(Math.max(Number(query.get("autopilot")) || 1, 0.02), 20);

let timer = 0;

export function start() {
  const note = document.createElement("p");
  note.className = "chip autopilot";
  note.setAttribute("role", "status");
  note.hidden = true;
  document.body.append(note);
  const rest = () => {
    clearTimeout(timer);
    note.hidden = false;
    note.textContent = t("autopilot.rests");
    timer = setTimeout(() => {
      note.hidden = true;
      plan();
    }, REST_MS * scale);
  };
  for (const kind of ["keydown", "pointerdown", "wheel", "touchstart"]) addEventListener(kind, (event) => event.isTrusted && rest(), { passive: true, capture: true });
  addEventListener("pointermove", (event) => (event.movementX || event.movementY) && event.isTrusted && rest(), { passive: true });
  document.documentElement.dataset.autopilot = "";
  plan();
}

function after(ms, what) {
  clearTimeout(timer);
  timer = setTimeout(what, ms * scale);
}

function plan() {
  const next = document.querySelector("[data-go=next]:not(.lesson *)");
  if (next && document.querySelector("[data-trace]")) after(DWELL_MS.stage, () => (next.getAttribute("aria-disabled") === "true" ? go("etcd/") : (next.click(), plan())));
  else if (document.body.dataset.page === "etcd") after(DWELL_MS.etcd, () => go("network/"));
  else if (document.body.dataset.page === "map") after(DWELL_MS.map, request);
  else after(DWELL_MS.network, () => go(""));
}

// The newest request that changed something or was refused; else the newest that somebody outside made; else none.
async function request() {
  try {
    const rows = await call("GET", "/requests?limit=200");
    const list = (rows.requests ?? rows).filter((one) => one.outside && !one.stream && one.endMicros != null);
    const shown = Number(sessionStorage.getItem("clearplane.shown") ?? 0);
    const fresh = list.filter((one) => one.id !== shown);
    const found = fresh.find((one) => one.outcome === "deny" || !["get", "list", "watch"].includes(one.verb)) ?? fresh[0] ?? list[0];
    if (!found) return go("etcd/");
    sessionStorage.setItem("clearplane.shown", found.id);
    await go(`requests/${found.id}/`);
  } catch {
    after(RETRY_MS, request);
  }
}

async function go(path) {
  const there = new URL(home + path, location.origin);
  for (const name of ["screen", "autopilot", "lang", "theme"]) if (query.has(name)) there.searchParams.set(name, query.get(name));
  try {
    if (!connected) throw new Error("away");
    const answer = await fetch(there, { method: "GET" });
    if (!answer.ok && answer.status !== 404) throw new Error(String(answer.status));
    location.replace(answer.ok ? there.href : new URL(`${home}${there.search}`, location.origin));
  } catch {
    after(RETRY_MS, () => go(path));
  }
}
