// The etcd page, live: the members' part of the page is read anew when something changed, and twice a second while timers run.
// What has the focus keeps it; parts that did not change are not touched.

import { clock, on } from "./feed.js";

const LEAST_MS = 300;
const CALM_MS = 700;

let busy = false;
let due = 0;

export function start() {
  const live = document.querySelector("[data-live]");
  if (!live) return; // nothing is known yet; app.js asks again
  on("raft", soon);
  on("process", soon);
  on("host", soon);
  on("back", soon);
  document.addEventListener("acted", soon);
  setInterval(() => document.hidden || clock.paused || refresh(live), CALM_MS);
  function soon() {
    if (due) return;
    due = setTimeout(() => {
      due = 0;
      refresh(live);
    }, LEAST_MS);
  }
}

async function refresh(live) {
  if (busy) return;
  busy = true;
  try {
    const answer = await fetch("?part=logs", { headers: { "HX-Request": "true" } });
    if (answer.ok) patch(live, await answer.text());
  } catch {
    // The strip at the top says that the connection is lost.
  } finally {
    busy = false;
  }
}

function patch(live, html) {
  const fresh = new DOMParser().parseFromString(`<div>${html}</div>`, "text/html");
  const focus = document.activeElement;
  const key = focus?.dataset?.key;
  const member = focus?.dataset?.member;
  for (const part of live.querySelectorAll("[data-part]")) {
    const other = fresh.querySelector(`[data-part="${part.dataset.part}"]`);
    if (!other || part.dataset.part === "legend") continue;
    const scroll = part.scrollLeft;
    const inner = part.querySelector("details") ?? (part.tagName === "DETAILS" ? part : null);
    const open = inner?.open;
    if (part.innerHTML !== other.innerHTML) {
      part.replaceChildren(...[...other.childNodes].map((node) => document.adoptNode(node)));
      part.scrollLeft = scroll;
      if (inner && open) inner.open = true;
    }
  }
  if (!live.contains(focus)) {
    const again = key ? live.querySelector(`[data-key="${CSS.escape(key)}"]`) : member ? live.querySelector(`[data-member="${CSS.escape(member)}"]`) : null;
    again?.focus();
  }
}
