// Objects pages. A table follows the cluster without jumps: rows change in place, new ones stand at the end, gone ones are struck out,
// until one sorts again. YAML folds, is searched and copied. The editor keeps what was typed until the server has taken it.

import { clock, on, past } from "./feed.js";
import { t } from "./words.js";

const find = (selector, from = document) => from.querySelector(selector);
const all = (selector, from = document) => [...from.querySelectorAll(selector)];

// What listens for the picture that is shown; another moment brings another picture, and takes these away.
let scope = new AbortController();
let heard = new Map();
const hear = (kind, listener) => heard.set(kind, [...(heard.get(kind) ?? []), listener]);

export function start() {
  document.addEventListener("keydown", slash);
  for (const kind of ["object", "back", "revision"]) on(kind, (event) => (heard.get(kind) ?? []).forEach((listener) => listener(event)));
  setInterval(() => !clock.paused && heard.get("ages")?.forEach((listener) => listener()), 10_000);
  enter();
}

// Another moment is shown: the lines of the object that differ from the one shown before are marked.
export function moved() {
  const [was, lines] = [whose, shown];
  scope.abort();
  scope = new AbortController();
  heard = new Map();
  enter();
  if (lines.length && shown.length && was === whose) differing(lines, "changed.step");
}

function enter() {
  const list = find("[data-list]");
  const thing = find("[data-thing]");
  if (list) table(list);
  if (find("[data-kinds]") && !past()) counts();
  if (thing) one(thing);
  const form = find("[data-edit]");
  const { signal } = scope;
  if (form) import("./object_editor.js").then(({ editor }) => signal.aborted || editor(form, thing, { hear, signal }));
}

// "/" goes to the search field of the page, unless somebody types.
function slash(event) {
  if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, textarea, select")) return;
  const field = find("[data-find], [data-search]");
  if (!field) return;
  event.preventDefault();
  field.focus();
  field.select();
}

// Calls fn at most once every ms, and once more for what came in between; not while the page is hidden.
function seldom(fn, ms) {
  let due = 0;
  let last = -Infinity;
  const go = async () => {
    due = 0;
    if (document.hidden) return void document.addEventListener("visibilitychange", ask, { once: true });
    last = performance.now();
    await fn();
  };
  const ask = () => {
    due ||= setTimeout(go, Math.max(60, ms - (performance.now() - last)));
  };
  return ask;
}

async function part(name) {
  const address = new URL(location.href);
  address.searchParams.set("part", name);
  const answer = await fetch(address, { headers: { "HX-Request": "true" } }).catch(() => null);
  if (!answer?.ok) return null;
  const made = document.createElement("template");
  made.innerHTML = await answer.text();
  return made.content;
}

// -- tables ---------------------------------------------------------------------------------------------------------------

function table(list) {
  keys(list);
  if (past()) return;
  const refresh = seldom(() => update(list), find("[rel=next], [rel=prev]", list) ? 2500 : 700);
  hear("object", (event) => event.resource === list.dataset.list && refresh());
  hear("back", refresh);
  if (["events", "leases"].includes(list.dataset.list)) hear("revision", refresh); // too many to be told one by one
  hear("ages", refresh);
}

async function update(list) {
  const fresh = await part("rows");
  const region = find("[data-rows-region]");
  if (!fresh) return;
  const body = find("[data-body]", region);
  const next = find("[data-body]", fresh);
  if (!body || !next) {
    // From or to an empty table: there is nothing to keep in place.
    if (body || next || find("[data-empty]", region)) region.replaceChildren(fresh);
    return;
  }
  for (const what of ["[data-counts]", "[data-asof]"]) find(what, region)?.replaceChildren(...(find(what, fresh)?.childNodes ?? []));
  const wanted = new Map(all("tr", next).map((row) => [row.dataset.key, row]));
  const full = Boolean(find("[rel=next], [rel=prev]", fresh));
  for (const row of all("tr", body)) {
    const now = wanted.get(row.dataset.key);
    wanted.delete(row.dataset.key);
    if (now) same(row, now);
    else if (!full) gone(row);
  }
  let beyond = 0;
  for (const [, row] of wanted) {
    if (full) beyond += 1;
    else {
      row.classList.add("is-new");
      mark(row, t("rows.new"));
      body.append(row);
    }
  }
  news(region, all(".is-new", body).length, all(".is-gone", body).length, beyond);
}

function same(row, now) {
  if (row.classList.contains("is-gone")) {
    row.classList.remove("is-gone");
    find(".tag", row)?.remove();
  }
  const other = row.dataset.rv !== now.dataset.rv;
  row.dataset.rv = now.dataset.rv;
  [...row.cells].forEach((cell, place) => {
    const next = now.cells[place];
    if (!next) return;
    const tag = find(".tag", cell);
    const text = tag ? cell.textContent.slice(0, -tag.textContent.length) : cell.textContent;
    const icon = find("use", cell)?.getAttribute("href") !== find("use", next)?.getAttribute("href");
    if (text.trim() === next.textContent.trim() && !icon) return;
    if (find("a", cell)) find("use", cell)?.setAttribute("href", find("use", next).getAttribute("href"));
    else {
      cell.textContent = next.textContent;
      cell.classList.toggle("changed", other);
    }
  });
}

function gone(row) {
  if (row.classList.contains("is-gone")) return;
  row.classList.remove("is-new");
  row.classList.add("is-gone");
  mark(row, t("rows.gone"));
}

function mark(row, word) {
  find(".tag", row)?.remove();
  const tag = document.createElement("span");
  tag.className = "tag";
  tag.textContent = word;
  (find("a", row)?.parentElement ?? row.cells[0]).append(tag);
}

function news(region, fresh, lost, beyond) {
  const place = find("[data-news]", region);
  if (!place) return;
  if (!fresh && !lost && !beyond) return place.replaceChildren();
  const again = document.createElement("button");
  again.type = "button";
  again.textContent = t("rows.again");
  again.addEventListener("click", async () => {
    const content = await part("rows");
    if (content) region.replaceChildren(content);
    find("[data-body] a", region)?.focus();
  });
  place.replaceChildren(fresh || lost ? t("rows.news", { new: fresh, gone: lost }) : t("rows.more", { n: beyond }), " ", again);
}

// Arrows walk the rows, Home and End go to the ends; Enter follows the link that has the focus anyway.
function keys(list) {
  document.addEventListener("keydown", (event) => {
    if (event.target !== document.body && !list.contains(event.target)) return;
    const step = { ArrowDown: 1, ArrowUp: -1, j: 1, k: -1, Home: -1e9, End: 1e9 }[event.key];
    if (step === undefined || event.target.closest("input, select, textarea") || event.ctrlKey || event.metaKey || event.altKey) return;
    const links = all("[data-body] tr a", list);
    if (!links.length) return;
    const here = links.indexOf(document.activeElement);
    if (here < 0 && Math.abs(step) > 1) return;
    event.preventDefault();
    const next = links[Math.min(Math.max(here < 0 ? 0 : here + step, 0), links.length - 1)];
    next.focus();
    all("tr.at", list).forEach((row) => row.classList.remove("at"));
    next.closest("tr").classList.add("at");
  }, { signal: scope.signal });
}

function counts() {
  const refresh = seldom(async () => {
    const answer = await fetch(location.href).catch(() => null);
    if (!answer?.ok) return;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const link of all("[data-kind]")) {
      const now = all("[data-kind]", page).find((other) => other.dataset.kind === link.dataset.kind);
      if (now && find("[data-count]", now).textContent !== find("[data-count]", link).textContent) {
        find("[data-count]", link).textContent = find("[data-count]", now).textContent;
        link.parentElement.className = now.parentElement.className;
      }
    }
  }, 2000);
  hear("object", (event) => event.type !== "MODIFIED" && refresh());
}

// -- one object -----------------------------------------------------------------------------------------------------------

let opened = []; // the lines when the page was opened: what changed is told against them
let shown = []; // and those that are shown now
let whose = "";
const texts = () => all("[data-yaml] code").map((line) => line.textContent);

function one(thing) {
  opened = shown = texts();
  whose = `${thing.dataset.thing}/${thing.dataset.namespace}/${thing.dataset.name}`;
  if (find("[data-yaml]")) yaml();
  if (past() || thing.dataset.tab === "edit") return;
  const refresh = seldom(() => renew(thing), 500);
  hear("object", (event) => {
    if (event.resource === thing.dataset.thing && event.name === thing.dataset.name && (event.namespace ?? "") === thing.dataset.namespace) refresh();
  });
  if (["requests", "events"].includes(thing.dataset.tab)) hear("revision", refresh);
}

async function renew(thing) {
  const answer = await fetch(location.href).catch(() => null);
  if (!answer?.ok) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const fresh = find("[data-panel]", page);
  const panel = find("[data-panel]");
  if (!fresh) return;
  if (find("[data-rv]", page)?.textContent === find("[data-rv]")?.textContent && fresh.textContent === panel.textContent) return;
  const chosen = all("input:checked", panel).map((box) => [box.name, box.value]);
  const folded = new Set(all("[data-yaml] li.folded", panel).map((line) => find("code", line).textContent));
  const scroll = find(".code-box", panel)?.scrollLeft ?? 0;
  const focus = panel.contains(document.activeElement) && document.activeElement.matches("[data-find]") ? document.activeElement.value : null;
  const facts = find("[data-facts]", page);
  if (facts) find("[data-facts]")?.replaceWith(facts);
  const conditions = find(".conditions", page);
  if (conditions) find(".conditions")?.replaceWith(conditions);
  panel.replaceChildren(...fresh.childNodes);
  for (const [name, value] of chosen) if (name !== "right") find(`input[name="${name}"][value="${value}"]`, panel)?.setAttribute("data-was", "");
  if (!find("[data-yaml]", panel)) return;
  yaml(folded);
  shown = texts();
  differing(opened, "changed");
  find(".code-box", panel).scrollLeft = scroll;
  if (focus !== null) {
    const field = find("[data-find]", panel);
    field.value = focus;
    field.focus();
    field.dispatchEvent(new Event("input"));
  }
}

// Mark the lines that aren't among those, and say how many.
function differing(before, said) {
  const old = new Map();
  for (const text of before) old.set(text, (old.get(text) ?? 0) + 1);
  for (const line of all("[data-yaml] li")) {
    const text = find("code", line).textContent;
    if (old.get(text)) old.set(text, old.get(text) - 1);
    else line.classList.add("changed");
  }
  const n = all("[data-yaml] .changed").length;
  find("[data-since]").textContent = n ? t(said, { n }) : "";
}

function yaml(folded = new Set()) {
  const lines = all("[data-yaml] li");
  const shown = () => {
    let until = 0;
    for (const line of lines) {
      const n = Number(line.dataset.n);
      line.hidden = n <= until;
      if (!line.hidden && line.classList.contains("folded")) until = Number(line.dataset.end);
    }
  };
  const fold = (line, yes) => {
    line.classList.toggle("folded", yes);
    const button = find(".fold", line);
    button.setAttribute("aria-expanded", String(!yes));
    button.setAttribute("aria-label", `${t(yes ? "fold.open" : "fold.close")} ${line.dataset.path}`);
    button.textContent = yes ? "▸" : "▾";
  };
  for (const line of lines) {
    if (!line.dataset.end) continue;
    const button = document.createElement("button");
    button.type = "button";
    button.className = "fold";
    button.addEventListener("click", () => {
      fold(line, !line.classList.contains("folded"));
      shown();
    });
    find(".n", line).after(button);
    fold(line, folded.has(find("code", line).textContent));
  }
  shown();
  find("[data-do=fold]")?.addEventListener("click", () => {
    for (const line of lines) if (line.dataset.end && !find("code", line).textContent.startsWith(" ")) fold(line, true);
    shown();
  });
  find("[data-do=unfold]")?.addEventListener("click", () => {
    for (const line of lines) if (line.dataset.end) fold(line, false);
    shown();
  });
  find("[data-do=copy]")?.addEventListener("click", async () => {
    const said = find("[data-found]");
    try {
      await navigator.clipboard.writeText(find("[data-plain]").value);
      said.textContent = t("copied");
    } catch {
      const range = document.createRange();
      range.selectNodeContents(find("[data-yaml]"));
      getSelection().removeAllRanges();
      getSelection().addRange(range);
    }
  });
  for (const button of all("[data-owner]")) {
    button.addEventListener("click", () => {
      const on_ = button.getAttribute("aria-pressed") !== "true";
      for (const other of all("[data-owner]")) other.setAttribute("aria-pressed", String(other === button && on_));
      for (const line of lines) line.classList.toggle("mine", on_ && line.dataset.places.split(" ").includes(button.dataset.owner));
    });
  }
  searching(lines, fold, shown);
}

function searching(lines, fold, shown) {
  const field = find("[data-find]");
  const said = find("[data-found]");
  if (!field) return;
  let hits = [];
  let at = -1;
  const go = (place) => {
    hits[at]?.classList.remove("at");
    at = (place + hits.length) % hits.length;
    const line = hits[at];
    line.classList.add("at");
    for (const other of lines) if (other.classList.contains("folded") && Number(other.dataset.n) < Number(line.dataset.n) && Number(other.dataset.end) >= Number(line.dataset.n)) fold(other, false);
    shown();
    line.scrollIntoView({ block: "nearest" });
    said.textContent = t("found", { at: at + 1, n: hits.length });
  };
  field.addEventListener("input", () => {
    for (const line of hits) line.classList.remove("hit", "at");
    const text = field.value.toLowerCase();
    hits = text ? lines.filter((line) => find("code", line).textContent.toLowerCase().includes(text)) : [];
    for (const line of hits) line.classList.add("hit");
    at = -1;
    if (hits.length) go(0);
    else said.textContent = text ? t("found.none") : "";
  });
  field.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && hits.length) {
      event.preventDefault();
      go(at + (event.shiftKey ? -1 : 1));
    } else if (event.key === "Escape" && field.value) {
      field.value = "";
      field.dispatchEvent(new Event("input"));
    }
  });
}
