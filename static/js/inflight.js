// Messages in flight while the clock stands or crawls: a list beside the picture, so that each can be reached and opened by keys.
// In: the flights and the clock. Out: rows "POST pods, lb → kube-apiserver-cp-1, arrives in 0.40 ms", linked to the request.

import { clock, now, on } from "./feed.js";
import { address, exact } from "./flights.js";
import { span, t } from "./words.js";

const SHOWN = 24;

export function start(flights) {
  const show = () => list(flights());
  on("done", show);
  on("clock", show);
  show();
  return show;
}

function list(flights) {
  const section = document.querySelector("[data-inflight]");
  if (!section) return;
  if (section.hidden === exact()) section.hidden = !exact();
  if (section.hidden) return;
  const here = flights.underWay();
  const rows = section.querySelector("ol");
  const key = here.map((one) => `${one.src}${one.dst}${one.label}${one.arriveMicros}${clock.paused ? now() : ""}`).join();
  if (rows.dataset.key === key || rows.contains(document.activeElement)) return;
  rows.dataset.key = key;
  rows.replaceChildren(...(here.length ? here.slice(-SHOWN).map(row) : [empty()]));
}

function row(one) {
  const item = document.createElement("li");
  const words = document.createElement(one.cause ? "a" : "span");
  if (one.cause) words.href = address(one.cause);
  words.textContent = t("flight.row", { ...one, left: span(one.arriveMicros - now()) });
  item.append(words);
  return item;
}

function empty() {
  const item = document.createElement("li");
  item.className = "second";
  item.textContent = t("flight.none");
  return item;
}
