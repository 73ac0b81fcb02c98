// Messages in flight while the clock stands: a list beside the picture, so that each can be reached and opened by keys.
// In: the feed's flights and the clock. Out: rows "POST pods, lb → kube-apiserver-cp-1, arrives in 0.40 ms", linked to the request.

import { clock, cluster, on } from "./feed.js";
import { span, t } from "./words.js";

const KEEP = 400;
const SHOWN = 24;
const flights = [];

export function start() {
  on("flight", (flight) => {
    flights.push(flight);
    if (flights.length > KEEP) flights.splice(0, flights.length - KEEP);
  });
  on("done", show);
  on("clock", show);
  document.body.addEventListener("htmx:afterSettle", show);
}

function show() {
  const section = document.querySelector("[data-inflight]");
  if (!section) return;
  section.hidden = !clock.paused;
  if (!clock.paused) return;
  const here = flights.filter((one) => !one.dropped && one.sentMicros <= clock.nowMicros && one.arriveMicros > clock.nowMicros);
  const list = section.querySelector("ol");
  const key = here.map((one) => `${one.src}${one.dst}${one.label}${one.arriveMicros}`).join();
  if (list.dataset.key === key) return;
  list.dataset.key = key;
  list.replaceChildren(...(here.length ? here.slice(-SHOWN).map(row) : [empty()]));
}

function row(one) {
  const item = document.createElement("li");
  const words = document.createElement(one.cause ? "a" : "span");
  if (one.cause) words.href = `/clusters/${encodeURIComponent(cluster)}/requests/${one.cause}/`;
  words.textContent = t("flight.row", { ...one, left: span(one.arriveMicros - clock.nowMicros) });
  item.append(words);
  return item;
}

function empty() {
  const item = document.createElement("li");
  item.className = "second";
  item.textContent = t("flight.none");
  return item;
}
