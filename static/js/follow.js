// Following the presenter, wherever one sits: their page, moment and step, on one's own sheet and in one's own language. Any movement of
// one's own leaves it; one button joins again. A projector in another room follows by its address: ?screen&follow=1.

import { t } from "./words.js";
import { bare, dressed, stepTo } from "./stagehand.js";

const KEY = "clearplane.follow";
const LOST_MS = 40_000;
const query = new URLSearchParams(location.search);
const always = query.has("follow");
const apart = document.body.dataset.page === "presenter" || (query.has("screen") && !always);

let record = null;
let button = null;
let lost = 0;
let going = false;

const following = () => always || sessionStorage.getItem(KEY) === "1";

if (!apart) {
  for (const kind of ["pointerdown", "wheel", "keydown"]) addEventListener(kind, leave, { capture: true, passive: true });
}

// In: what the presenter's page tells, or null. Loaded (app.js) when somebody presents.
export function hear(found) {
  if (apart) return;
  clearTimeout(lost);
  record = found;
  if (record) lost = setTimeout(() => hear(null), LOST_MS);
  draw();
  if (record && following()) go();
}

function go() {
  if (going || bare(record.url) === bare(location.href)) return;
  if (stepTo(record.url)) return;
  going = true;
  location.assign(dressed(record.url));
}

function leave(event) {
  if (!event.isTrusted || always || !record || !following() || event.target.closest?.("[data-follow]")) return;
  if (event.type === "keydown" && ["Tab", "Shift", "Control", "Alt", "Meta", "Escape"].includes(event.key)) return;
  sessionStorage.removeItem(KEY);
  draw();
}

function draw() {
  if (!record || always) {
    button?.remove();
    button = null;
    return;
  }
  if (!button) {
    button = document.createElement("button");
    button.type = "button";
    button.dataset.follow = "";
    button.addEventListener("click", () => {
      if (following()) sessionStorage.removeItem(KEY);
      else sessionStorage.setItem(KEY, "1");
      draw();
      if (following()) go();
    });
    document.querySelector(".facts")?.prepend(button);
  }
  button.setAttribute("aria-pressed", String(following()));
  button.textContent = t(following() ? "follow.on" : "follow.off");
  button.title = record.title;
}
