// The list of requests, live: new ones appear on top unless a filter excludes them.

import { cluster, on } from "./feed.js";
import { icon } from "./captions.js";
import { instant, span, t, who } from "./words.js";

const KEEP = 200;

export function start() {
  on("request", add);
}

function wanted(event) {
  const form = new FormData(document.querySelector("[data-filters]"));
  if (!event.outside && form.get("system") !== "1") return false;
  return (!form.get("verb") || form.get("verb") === event.verb) && (!form.get("code") || Number(form.get("code")) === event.code) && (!form.get("user") || form.get("user") === event.user);
}

function cell(className, ...children) {
  const td = document.createElement("td");
  td.className = className;
  td.append(...children);
  return td;
}

function element(name, text, className = "") {
  const node = document.createElement(name);
  node.textContent = text;
  if (className) node.className = className;
  return node;
}

function add(event) {
  const rows = document.querySelector("[data-rows]");
  if (!rows || !wanted(event)) return;
  document.querySelector("[data-empty]")?.remove();
  const row = document.createElement("tr");
  row.dataset.id = event.id;
  row.className = `is-row-${event.outcome} fresh`;
  const verdict = document.createElement("span");
  verdict.className = `is-${event.outcome}`;
  verdict.append(icon(`verdict-${event.outcome}`));
  const link = document.createElement("a");
  link.href = `/clusters/${encodeURIComponent(cluster)}/requests/${event.id}/`;
  const address = element("span", "", "mono");
  address.append(element("b", event.method), ` ${event.path}`);
  link.append(address);
  const took = event.endMicros == null ? null : event.endMicros - event.startMicros;
  let why;
  if (event.initiator) {
    why = element("a", `#${event.initiator}`, "mono");
    why.href = `/clusters/${encodeURIComponent(cluster)}/requests/${event.initiator}/`;
  } else why = element("span", event.outside ? t("a.client") : t("itself"), "second");
  row.append(
    cell("answer", verdict, " ", element("strong", event.code || "…")),
    cell("path", link),
    cell("who", who(event)),
    cell("mono began", instant(event.startMicros)),
    cell("mono num", event.stream ? t("stream") : span(took)),
    cell("bars"),
    cell("", why),
  );
  const known = rows.querySelector(`[data-id="${event.id}"]`);
  if (known) known.replaceWith(row);
  else {
    // Newest first by number, so that a late answer does not jump over later requests.
    const before = [...rows.children].find((other) => Number(other.dataset.id) < event.id);
    rows.insertBefore(row, before ?? null);
  }
  while (rows.children.length > KEEP) rows.lastElementChild.remove();
}
