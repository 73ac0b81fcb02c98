// Objects pages. A table follows the cluster without jumps: rows change in place, new ones stand at the end, gone ones are struck out,
// until one sorts again. YAML folds, is searched and copied. The editor keeps what was typed until the server has taken it.

import { clock, on } from "./feed.js";
import { t } from "./words.js";

const past = Boolean(document.body.dataset.at);
const find = (selector, from = document) => from.querySelector(selector);
const all = (selector, from = document) => [...from.querySelectorAll(selector)];

export function start() {
  document.addEventListener("keydown", slash);
  const list = find("[data-list]");
  const thing = find("[data-thing]");
  if (list) table(list);
  if (find("[data-kinds]") && !past) counts();
  if (thing) one(thing);
  if (find("[data-edit]")) editor(find("[data-edit]"), thing);
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
  if (past) return;
  const refresh = seldom(() => update(list), find("[rel=next], [rel=prev]", list) ? 2500 : 700);
  on("object", (event) => event.resource === list.dataset.list && refresh());
  on("back", refresh);
  if (["events", "leases"].includes(list.dataset.list)) on("revision", refresh); // too many to be told one by one
  setInterval(() => !clock.paused && refresh(), 10_000); // ages
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
  });
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
  on("object", (event) => event.type !== "MODIFIED" && refresh());
}

// -- one object -----------------------------------------------------------------------------------------------------------

let opened = []; // the lines when the page was opened: what changed is told against them

function one(thing) {
  opened = all("[data-yaml] code").map((line) => line.textContent);
  if (find("[data-yaml]")) yaml();
  if (past || thing.dataset.tab === "edit") return;
  const refresh = seldom(() => renew(thing), 500);
  on("object", (event) => {
    if (event.resource === thing.dataset.thing && event.name === thing.dataset.name && (event.namespace ?? "") === thing.dataset.namespace) refresh();
  });
  if (["requests", "events"].includes(thing.dataset.tab)) on("revision", refresh);
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
  const old = new Map();
  for (const text of opened) old.set(text, (old.get(text) ?? 0) + 1);
  for (const line of all("[data-yaml] li", panel)) {
    const text = find("code", line).textContent;
    if (old.get(text)) old.set(text, old.get(text) - 1);
    else line.classList.add("changed");
  }
  find("[data-since]", panel).textContent = t("changed", { n: all("[data-yaml] .changed", panel).length });
  find(".code-box", panel).scrollLeft = scroll;
  if (focus !== null) {
    const field = find("[data-find]", panel);
    field.value = focus;
    field.focus();
    field.dispatchEvent(new Event("input"));
  }
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

// -- editing --------------------------------------------------------------------------------------------------------------

function editor(form, thing) {
  const text = find("textarea", form);
  const numbers = find("[data-numbers]", form);
  const place = find("[data-place]", form);
  const kept = `clearplane.edit:${location.pathname}`;
  const original = text.defaultValue;
  let leaving = false;

  const number = () => {
    const n = text.value.split("\n").length;
    while (numbers.children.length > n) numbers.lastChild.remove();
    while (numbers.children.length < n) numbers.append(Object.assign(document.createElement("li"), { textContent: numbers.children.length + 1 }));
    numbers.scrollTop = text.scrollTop;
  };
  const where = () => {
    const before = text.value.slice(0, text.selectionStart).split("\n");
    place.textContent = t("line", { n: before.length, column: before.at(-1).length + 1 });
  };
  const changed = () => {
    number();
    try {
      if (text.value === original) sessionStorage.removeItem(kept);
      else sessionStorage.setItem(kept, text.value);
    } catch {
      // No room, or not allowed: the text stays in the page all the same.
    }
  };
  text.addEventListener("input", changed);
  text.addEventListener("scroll", () => (numbers.scrollTop = text.scrollTop));
  document.addEventListener("selectionchange", () => document.activeElement === text && where());

  // Tab indents, as YAML needs it; Escape lets the next Tab leave, so that nobody is caught.
  text.addEventListener("keydown", (event) => {
    if (event.key === "Escape") leaving = true;
    else if (event.key === "Tab" && !leaving && !event.ctrlKey && !event.altKey && !text.readOnly) {
      event.preventDefault();
      indent(text, event.shiftKey);
      changed();
    } else if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      form.requestSubmit(find("[data-send=check]", form));
    } else if (event.key === "Enter" && !event.isComposing) {
      const line = text.value.slice(0, text.selectionStart).split("\n").at(-1);
      const deeper = /:\s*$/.test(line) ? "  " : "";
      event.preventDefault();
      document.execCommand("insertText", false, `\n${/^\s*/.exec(line)[0]}${deeper}`);
    } else if (event.key !== "Shift" && event.key !== "Tab") leaving = false;
  });
  text.addEventListener("focus", () => (leaving = false));

  // What was typed before a reload, a lost connection or a wrong turn.
  const before = sessionStorage.getItem(kept);
  const strip = find("[data-kept]", form);
  if (before !== null && before !== text.value && !text.readOnly) {
    text.value = before;
    strip.hidden = false;
    find("[data-kept-text]", strip).textContent = t("kept");
    const drop = find("[data-kept-drop]", strip);
    drop.textContent = t("kept.drop");
    drop.addEventListener("click", () => {
      sessionStorage.removeItem(kept);
      text.value = original;
      strip.hidden = true;
      number();
      text.focus();
    });
  }
  number();

  if (thing && !past) {
    on("object", (event) => {
      if (event.resource !== thing.dataset.thing || event.name !== thing.dataset.name || (event.namespace ?? "") !== thing.dataset.namespace) return;
      find("[data-sending]", form).textContent = event.type === "DELETED" ? t("deleted.meanwhile") : t("changed.meanwhile", { revision: event.rv });
    });
  }
  sending(form, text, kept);
  document.addEventListener("click", (event) => {
    const link = event.target.closest?.("[data-line]");
    if (!link) return;
    event.preventDefault();
    show(text, Number(link.dataset.line));
  });
}

function indent(text, back) {
  const value = text.value;
  const from = value.lastIndexOf("\n", text.selectionStart - 1) + 1;
  if (text.selectionStart === text.selectionEnd && !back) return document.execCommand("insertText", false, "  ");
  const to = Math.max(text.selectionEnd, from);
  const piece = value.slice(from, to);
  const moved = back ? piece.replace(/^ {1,2}/gm, "") : piece.replace(/^(?=.)/gm, "  ");
  text.setSelectionRange(from, to);
  document.execCommand("insertText", false, moved);
  text.setSelectionRange(from, from + moved.length);
}

function show(text, line) {
  const lines = text.value.split("\n");
  const from = lines.slice(0, line - 1).join("\n").length + (line > 1 ? 1 : 0);
  text.focus();
  text.setSelectionRange(from, from + (lines[line - 1] ?? "").length);
  const height = parseFloat(getComputedStyle(text).lineHeight);
  text.scrollTop = Math.max(0, (line - 4) * height);
}

function sending(form, text, kept) {
  const said = find("[data-sending]", form);
  const withdraw = find("[data-withdraw]", form);
  let open = null;
  const forms = [form, find("[data-delete]")].filter(Boolean);
  for (const one of forms) {
    one.addEventListener("htmx:beforeRequest", (event) => {
      open = event.detail?.elt ?? one;
      said.textContent = t(clock.paused ? "sending.paused" : "sending");
      if (withdraw) withdraw.hidden = false;
      for (const button of all("button", one)) if (button !== withdraw) button.disabled = true;
    });
    one.addEventListener("htmx:afterRequest", () => {
      open = null;
      said.textContent = "";
      if (withdraw) withdraw.hidden = true;
      for (const button of all("button", one)) button.disabled = false;
    });
  }
  withdraw?.addEventListener("click", () => {
    if (!open) return;
    open.dispatchEvent(new Event("htmx:abort"));
    said.textContent = t("withdrawn");
  });
  const result = find("#result");
  new MutationObserver(() => {
    for (const item of all(".wrong", form)) item.classList.remove("wrong");
    for (const link of all("[data-line]", result)) find("[data-numbers]", form).children[Number(link.dataset.line) - 1]?.classList.add("wrong");
    if (find("[data-done]", result) && !find(".answer.bad", result)) sessionStorage.removeItem(kept);
  }).observe(result, { childList: true });
}
