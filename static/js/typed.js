// What this page's console typed, on the picture: a running line's number stands on the console's box, and on every message that descends from
// the line, however far down the chain of causes. In: "console-line" and "console-request" (console.js), the feed's requests. Out: number(cause).

import { svg } from "./captions.js";
import { on } from "./feed.js";

const KEEP = 800;
const DEEP = 24;
const LINGER_MS = 1500;
const screen = document.documentElement.dataset.theme === "screen";

const lines = new Map(); // request → number of the line that made it
const parents = new Map(); // request → the request that caused it
const running = new Set();
let flights = null;
let drawing = null;

export function start(on_, where) {
  flights = on_;
  drawing = where;
  on("request", (event) => {
    if (!event.initiator) return;
    parents.set(event.id, event.initiator);
    if (parents.size > KEEP) parents.delete(parents.keys().next().value);
  });
  document.addEventListener("console-request", ({ detail }) => {
    if (!detail.number) return;
    for (const id of detail.requests) lines.set(id, detail.number);
    while (lines.size > KEEP) lines.delete(lines.keys().next().value);
    flights().number();
  });
  document.addEventListener("console-line", ({ detail }) => {
    if (detail.running) running.add(detail.number);
    else setTimeout(() => leave(detail.number), LINGER_MS);
    show();
  });
}

// How a line's number is written, wherever it stands.
export const sign = (one) => `#${one}`;

// The number of the console's line that a request descends from; 0: none of this page's.
export function number(cause) {
  for (let id = cause, n = 0; id && n < DEEP; id = parents.get(id), n += 1) if (lines.has(id)) return lines.get(id);
  return 0;
}

// A line's sign stays while something that it sent is still on its way.
function leave(one) {
  if (flights().carries(one)) return void setTimeout(() => leave(one), LINGER_MS / 3);
  running.delete(one);
  show();
}

export function show() {
  const sheet = drawing();
  sheet.querySelector(".typed-lines")?.remove();
  const box = sheet.querySelector('[data-process="console"] .outline');
  if (!box || !running.size) return;
  const [x, y, w] = ["x", "y", "width"].map((name) => Number(box.getAttribute(name)));
  const high = screen ? 26 : 18;
  let right = x + w + 6;
  const signs = [...running].sort((a, b) => b - a).slice(0, 4).map((one) => {
    const wide = sign(one).length * (screen ? 12.1 : 8.5) + 10;
    right -= wide + 3;
    return svg("g", {}, svg("rect", { x: right, y: y - high / 2, width: wide, height: high }), svg("text", { x: right + wide / 2, y: y + (screen ? 7 : 5), "text-anchor": "middle" }, sign(one)));
  });
  sheet.querySelector("[data-marks]").append(svg("g", { class: "typed-lines", "data-filled": "ink", "aria-hidden": "true" }, ...signs));
}
