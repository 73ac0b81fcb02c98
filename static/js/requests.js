// The list of requests, live: new ones come in at the top unless a filter excludes them, one scrolls, or one has a row in hand.
// Keys: j/k or arrows move, Enter opens (it is a link), x picks, c compares, / searches. Rows far from view are put aside (rows.js).

import { cluster, on } from "./feed.js";
import { adopt, all, at, find, near, place, rowHeight, seen, top } from "./rows.js";
import * as fall from "./waterfall.js";
import { instant, parted, partedUser, size, span, t, who } from "./words.js";

const KEEP = 300;
const MOST = 600;
const HELD = 300;
const GLIDE_MS = 120;
const FILL_MS = 500;
const calm = matchMedia("(prefers-reduced-motion: reduce)");
const $ = (selector) => document.querySelector(selector);

let live = !document.body.dataset.at;
let held = new Map();
let drawing = 0;

export function start() {
  on("request", take);
  on("done", told);
  document.addEventListener("keydown", keys);
  document.addEventListener("click", clicks);
  document.addEventListener("change", (event) => {
    if (event.target.name === "pick") picked();
    if (event.target.matches("[data-zoom]")) redraw();
  });
  for (const scroller of [$(".sheet-col"), $(".middle"), window]) scroller.addEventListener("scroll", scrolled, { passive: true });
  addEventListener("resize", scrolled);
  document.addEventListener("focusin", (event) => event.target.closest("[data-rows]") && choose(event.target.closest("tr")));
  document.body.addEventListener("htmx:afterSwap", fresh);
  on("back", catchUp);
  fresh();
}

// Another moment is shown, and with it another list.
export function moved() {
  live = !document.body.dataset.at;
  fresh();
}

function scrolled() {
  if (reading()) tail();
  else flush();
  place();
  redraw();
  fill();
}

function fresh() {
  held = new Map();
  adopt($("[data-rows]"));
  picked();
  tail();
  redraw();
}

// -- live tail ----------------------------------------------------------------------------------------------------

const sorted = () => new URLSearchParams(location.search).get("sort") || "newest";
const form = () => new FormData($("[data-filters]"));

// Somebody reads: the list is scrolled, or a row has the focus.
const reading = () => $(".sheet-col").scrollTop > 40 || Boolean(document.activeElement?.closest("[data-rows]"));

function wanted(event) {
  const asked = form();
  const is = (name, value) => !asked.get(name) || asked.get(name) === value;
  if (!event.outside && asked.get("system") !== "1") return false;
  const code = asked.get("code");
  if (code && code !== String(event.code) && !(code === "wait" && !event.code) && !(code.endsWith("xx") && String(event.code)[0] === code[0])) return false;
  if (asked.get("errors") === "1" && event.code < 400) return false;
  const initiator = asked.get("initiator");
  if (initiator && (initiator === "outside" ? event.initiator : initiator === "caused" ? !event.initiator : initiator !== String(event.initiator))) return false;
  return is("verb", event.verb) && is("user", event.user) && is("namespace", event.namespace) && is("resource", event.resource.split("/")[0]) && is("component", component(event));
}

const component = (event) => event.userAgent.split("/")[0] || event.client.replace(/^outside:/, "").split(":")[0];

function take(event) {
  if (!$("[data-rows]") || document.body.dataset.at || sorted() !== "newest" || !wanted(event)) return;
  // What stages said is searched where the stages are.
  if (form().get("text")) return later();
  const known = find(event.id);
  if (known) {
    const made = row(event, known);
    if (moving.has(known)) {
      moving.set(made, moving.get(known));
      made.style.transform = known.style.transform;
    }
    at(known, made);
    return fill();
  }
  held.set(event.id, event);
  if (held.size > HELD) held.delete(held.keys().next().value);
}

// All that one frame told of comes in at once: the page is laid out once for it.
function told() {
  if (!held.size) return;
  if (live && !reading()) flush();
  else tail();
}

let searching = 0;
function later() {
  searching ||= setTimeout(async () => {
    searching = 0;
    await catchUp();
  }, 400);
}

// What happened between the drawing of this page and its feed, or what only the server can search.
async function catchUp() {
  const rows = $("[data-rows]");
  if (!rows || document.body.dataset.at || sorted() !== "newest") return;
  const query = new URLSearchParams(location.search);
  for (const name of ["before", "offset"]) query.delete(name);
  query.set("part", "rows");
  query.set("since", top()?.dataset.id ?? 0);
  const answer = await fetch(`?${query}`).catch(() => null);
  if (!answer?.ok) return;
  const found = document.createElement("tbody");
  found.innerHTML = await answer.text();
  const fresh = [...found.children].filter((one) => !find(one.dataset.id));
  if (!fresh.length) return;
  insert(rows, () => all().unshift(...fresh));
  settle();
}

function flush() {
  if (!live || !held.size) return;
  const rows = $("[data-rows]");
  insert(rows, () => {
    for (const event of held.values()) {
      // Newest first by number, so that a late answer does not jump over later requests.
      const before = all().findIndex((other) => Number(other.dataset.id) < event.id);
      all().splice(before < 0 ? all().length : before, 0, row(event));
    }
  });
  held = new Map();
  settle();
}

// New rows push the others down. In the frame in which they come, those that are pushed are moved back by as much, so that nothing jumps; then they
// glide to where they belong, so that an eye on a row can follow it. More that come meanwhile lengthen the way.
const moving = new Map(); // what moves → pixels it was away from its place at `began`
let began = 0, share = 1;

function insert(rows, work) {
  const was = new Map(all().map((tr, index) => [tr, index]));
  const still = !moving.size;
  work();
  all().splice(KEEP);
  place();
  const first = all().slice(0, Math.ceil(innerHeight / 24));
  if (calm.matches || first.length < 2) return;
  const tall = rowHeight();
  const push = (node, by) => by && moving.set(node, Math.max((moving.get(node) ?? 0) - by * tall, -innerHeight));
  for (const [node, px] of moving) moving.set(node, Math.round(px * share));
  share = 1;
  began = 0;
  first.forEach((tr, index) => was.has(tr) && push(tr, index - was.get(tr)));
  for (const part of below(rows.closest("table"))) push(part, all().length - was.size);
  lie();
  if (still && moving.size) requestAnimationFrame(() => requestAnimationFrame(sink));
}

function sink(now) {
  began ||= now;
  share = Math.max(0, 1 - (now - began) / GLIDE_MS);
  lie();
  if (share) return requestAnimationFrame(sink);
  moving.clear();
  share = 1;
}

function lie() {
  for (const [node, px] of moving) node.style.transform = share ? `translateY(${Math.round(px * share)}px)` : "";
}

function below(node) {
  const found = [];
  for (let at = node; at && !at.matches(".sheet-col, .listing"); at = at.parentElement) for (let next = at.nextElementSibling; next; next = next.nextElementSibling) found.push(next);
  return found;
}

// The feed does not weigh answers that stay inside the cluster: the page asks for what the rows in view lack, once for all of them.
let filling = 0;

function fill() {
  filling ||= setTimeout(async () => {
    filling = 0;
    const lack = seen().filter((tr) => "thin" in tr.dataset);
    if (!lack.length || document.body.dataset.at) return;
    const ids = lack.map((tr) => Number(tr.dataset.id));
    const query = new URLSearchParams(location.search);
    for (const [name, value] of Object.entries({ part: "rows", since: Math.min(...ids) - 1, before: Math.max(...ids) + 1 })) query.set(name, value);
    const answer = await fetch(`?${query}`).catch(() => null);
    if (!answer?.ok) return;
    const found = document.createElement("tbody");
    found.innerHTML = await answer.text();
    for (const tr of lack) {
      const told = found.querySelector(`[data-id="${tr.dataset.id}"] td.size`);
      delete tr.dataset.thin;
      if (told) tr.querySelector("td.size").textContent = told.textContent;
    }
  }, FILL_MS);
}

function settle() {
  $("[data-empty]")?.remove();
  redraw();
  fill();
  tail();
}

function tail() {
  const button = $("[data-tail]"), more = $("[data-flush]");
  if (!button) return;
  const off = sorted() !== "newest";
  button.disabled = off;
  button.setAttribute("aria-pressed", String(live && !off));
  more.hidden = !held.size || (live && !reading());
  more.textContent = t("new.rows", { n: held.size });
  const said = t(off || !live ? "tail.off" : reading() ? "tail.held" : "tail.on");
  const line = $("[data-tail-said]");
  if (line.textContent !== said) line.textContent = said;
}

function clicks(event) {
  const on_ = (selector) => event.target.closest(selector);
  if (on_("[data-tail]")) {
    live = !live;
    if (live) show();
    tail();
  } else if (on_("[data-flush]")) {
    live = true;
    show();
  } else if (on_("[data-older]") && !event.ctrlKey && !event.metaKey) {
    event.preventDefault();
    older(on_("[data-older]"));
  } else if (on_("[data-compare]")) compare(event);
  else if (on_("[data-rows] tr") && !on_("a, input")) {
    on_("tr").querySelector(".path a").focus({ preventScroll: true });
  }
}

// Out of the row or the field that one was in, to where keys are the page's.
const leave = () => $("#main").focus({ preventScroll: true });

function show() {
  leave();
  $(".sheet-col").scrollTop = 0;
  flush();
}

async function older(link) {
  const query = new URL(link.href);
  // A few hundred rows are enough for one page: those before have a page of their own.
  if (all().length >= MOST) return location.assign(link.href);
  const answer = await fetch(query).catch(() => null);
  if (!answer?.ok) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const found = [...page.querySelectorAll("[data-rows] > tr")].filter((one) => !find(one.dataset.id));
  all().push(...found);
  place();
  const next = page.querySelector(".older");
  link.closest(".older").replaceWith(next ?? "");
  near(found[0])?.focus();
  redraw();
}

// -- rows ---------------------------------------------------------------------------------------------------------

function row(event, was) {
  const made = $("template[data-row]").content.querySelector("tr").cloneNode(true);
  const f = (name) => made.querySelector(`[data-f="${name}"]`);
  // Both ends of what must be told apart: a narrow column takes the middle away.
  const ends = (column, [head, tail_]) => {
    const cell = made.querySelector(`td.${column}`);
    cell.querySelector(".head").textContent = head;
    if (tail_) cell.querySelector(".tail").textContent = tail_;
    else cell.querySelector(".tail").remove();
  };
  const path = `/clusters/${encodeURIComponent(cluster)}/requests/`;
  const keep = keeping();
  made.dataset.id = event.id;
  made.dataset.start = event.startMicros;
  made.dataset.end = event.endMicros ?? "";
  made.dataset.parts = JSON.stringify(event.parts ?? []);
  if (event.stream) made.dataset.stream = "";
  if (event.size == null && event.endMicros != null && !event.stream) made.dataset.thin = "";
  made.className = `is-row-${event.outcome} fresh`;
  f("pick").value = event.id;
  f("pick").checked = was?.querySelector("[name=pick]").checked ?? false;
  f("verdict").setAttribute("class", `icon is-${event.outcome}`);
  f("verdict").setAttribute("aria-label", t(`outcome.${event.outcome}`));
  f("verdict").querySelector("use").setAttribute("href", `#verdict-${event.outcome}`);
  f("code").textContent = event.code || "…";
  f("open").href = `${path}${event.id}/${keep}`;
  const [address, query] = event.path.split(/\?(.*)/s);
  f("method").textContent = event.method;
  f("open").setAttribute("aria-label", `${event.method} ${event.path}`);
  ends("path", parted(address, 24));
  f("query").textContent = query ? `?${query}` : "";
  const name = who(event), program = component(event);
  ends("who", partedUser(name));
  f("component").textContent = program === name ? "" : program;
  if (event.initiator) {
    f("initiator").href = `${path}${event.initiator}/${keep}`;
    f("initiator").textContent = `#${event.initiator}`;
    ends("why", parted(event.because ?? "", 12));
  } else {
    f("initiator").remove();
    ends("why", [t(event.outside ? "a.client" : "itself"), ""]);
  }
  f("size").textContent = size(event.size);
  f("took").textContent = event.stream ? t("stream") : span(event.endMicros == null ? null : event.endMicros - event.startMicros);
  f("began").setAttribute("aria-label", instant(event.startMicros));
  return made;
}

function keeping() {
  const kept = new URLSearchParams();
  for (const [name, value] of new URLSearchParams(location.search)) if (["screen", "lang", "theme", "at"].includes(name)) kept.set(name, value);
  return kept.size ? `?${kept}` : "";
}

const facts = (tr) => ({ start: Number(tr.dataset.start), end: tr.dataset.end === "" || "stream" in tr.dataset ? null : Number(tr.dataset.end), parts: JSON.parse(tr.dataset.parts || "[]") });

// One drawing a frame, whatever came in meanwhile.
function redraw() {
  drawing ||= requestAnimationFrame(() => {
    drawing = 0;
    const asked = $("[data-zoom]")?.value ?? "view";
    const micros = Number(asked) || 0;
    const view = asked === "view" || micros;
    const inView = seen();
    const rows = (view ? inView : all()).map((tr) => [tr, facts(tr)]);
    const here = chosen() ?? inView[0];
    const pieces = micros && here ? fall.window_(Number(here.dataset.start) - micros * 0.05, micros) : fall.axis(rows.map(([, one]) => one));
    for (const [tr, one] of rows) if (tr.isConnected) fall.draw(tr.querySelector(".wf"), pieces, one);
    const axis = $("[data-axis]");
    if (axis) fall.folds(axis, pieces);
  });
}

const chosen = () => all().find((tr) => tr.classList.contains("chosen"));

function choose(tr) {
  if (!tr || tr.classList.contains("chosen")) return;
  chosen()?.classList.remove("chosen");
  tr.classList.add("chosen");
  if ($("[data-zoom]")?.value) redraw();
  tail();
}

// -- picking and keys ---------------------------------------------------------------------------------------------

const picks = () => all().map((tr) => tr.querySelector("[name=pick]")).filter((box) => box?.checked);

// Picked rows may lie far from view: they are named, not sent by the form.
function compare(event) {
  event.preventDefault();
  if (picks().length !== 2) return;
  const form = event.target.closest("form");
  const asked = new URLSearchParams([...new FormData(form)].filter(([name]) => name !== "pick"));
  for (const box of picks()) asked.append("pick", box.value);
  location.assign(`${form.getAttribute("action")}?${asked}`);
}

function picked() {
  const chosen = picks();
  // A third pick takes the place of the first one.
  if (chosen.length > 2) chosen[0].checked = false;
  const now = picks();
  const button = $("[data-compare]");
  if (!button) return;
  button.disabled = now.length !== 2;
  $("[data-picked]").textContent = now.length ? now.map((one) => `#${one.value}`).join(" · ") : "";
}

function keys(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.closest("input:not([type=checkbox]), select, textarea, .console, .tape")) {
    if (event.key === "Escape" && event.target.id === "text") leave();
    return;
  }
  const rows = all();
  const here = rows.indexOf(document.activeElement?.closest("[data-rows] tr"));
  const inside = here >= 0;
  // After the row that one was in has been scrolled away, keys go on from it.
  const from = inside ? here : rows.indexOf(chosen());
  const go = (index) => {
    event.preventDefault();
    near(rows[Math.min(Math.max(index, 0), rows.length - 1)])?.focus();
  };
  if (event.key === "/") {
    event.preventDefault();
    $("#text").focus();
    $("#text").select();
  } else if (event.key === "j" || (event.key === "ArrowDown" && inside)) go(from + 1);
  else if (event.key === "k" || (event.key === "ArrowUp" && inside)) go(from < 0 ? 0 : from - 1);
  else if (event.key === "Home" && inside) go(0);
  else if (event.key === "End" && inside) go(rows.length - 1);
  else if (event.key === "x" && inside) {
    const box = rows[here].querySelector("[name=pick]");
    box.checked = !box.checked;
    picked();
  } else if (event.key === "c" && picks().length === 2) $("[data-compare]").click();
  else if (event.key === "Escape" && inside) {
    leave();
    flush();
    tail();
  }
}
