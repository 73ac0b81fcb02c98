// The time machine's dialogs, loaded when the first is opened: fork (and what if), bookmark, copy link, history, keys.

import { call } from "./control.js";
import { cluster, live, now, past } from "./feed.js";
import { say } from "./captions.js";
import { keysOn, setKeys } from "./shortcuts.js";
import * as moment from "./moment.js";
import * as tape from "./tape.js";
import { instant, span, t, what, who } from "./words.js";

const find = (name) => document.querySelector(`[data-dialog="${name}"]`);
const opened = new Set();

export function open(name, detail = {}) {
  const dialog = find(name === "what-if" ? "fork" : name);
  if (!dialog || dialog.open) return;
  if (!opened.has(dialog)) {
    opened.add(dialog);
    dialog.addEventListener("click", (event) => event.target.closest("[data-close]") && dialog.close());
    PREPARE[dialog.dataset.dialog]?.(dialog);
  }
  said(dialog, "");
  OPEN[name]?.(dialog, detail);
  dialog.showModal();
}

function said(dialog, text) {
  const line = dialog.querySelector("[data-said]");
  if (!line) return;
  line.hidden = !text;
  line.textContent = text;
}

function element(name, text = "", attributes = {}) {
  const node = document.createElement(name);
  node.textContent = text;
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  return node;
}

// ---- fork --------------------------------------------------------------------------------------------------------------

let act = null;
let flagged = null;

const PREPARE = {
  fork(dialog) {
    dialog.querySelector("form").addEventListener("submit", (event) => {
      event.preventDefault();
      fork(dialog, new FormData(event.currentTarget));
    });
  },
  bookmark(dialog) {
    dialog.querySelector("form").addEventListener("submit", async (event) => {
      event.preventDefault();
      try {
        await call("POST", "/bookmarks", { at: new URL(await flagged).searchParams.get("at"), name: new FormData(event.target).get("name").trim() });
        dialog.close();
        say(t("bookmark.set"), {});
        document.dispatchEvent(new CustomEvent("history"));
      } catch (error) {
        said(dialog, t("failed", { why: error.message }));
      }
    });
  },
  history(dialog) {
    dialog.querySelector("[data-history-limit]").addEventListener("change", async (event) => {
      try {
        await call("PATCH", "/history", { limitBytes: Number(event.target.value) });
        await history(dialog);
      } catch (error) {
        said(dialog, t("failed", { why: error.message }));
      }
    });
    dialog.querySelector("[data-history-bookmarks]").addEventListener("click", async (event) => {
      const id = event.target.closest("[data-forget]")?.dataset.forget;
      if (!id) return;
      try {
        await call("DELETE", `/bookmarks/${encodeURIComponent(id)}`);
        await history(dialog);
        document.dispatchEvent(new CustomEvent("history"));
      } catch (error) {
        said(dialog, t("failed", { why: error.message }));
      }
    });
    dialog.addEventListener("click", (event) => {
      const link = event.target.closest("a[data-at]");
      if (!link || event.ctrlKey || event.metaKey) return;
      event.preventDefault();
      dialog.close();
      moment.look(link.dataset.at);
    });
  },
  help(dialog) {
    legend(dialog.querySelector("[data-legend]"));
    const box = dialog.querySelector("[data-keys]");
    box.checked = keysOn();
    box.addEventListener("change", () => setKeys(box.checked));
  },
};

const OPEN = {
  fork(dialog, detail) {
    act = detail.act ?? null;
    const why = detail.why ? t(detail.why) : act ? t("past.acts") : t("fork.why");
    dialog.querySelector("[data-fork-why]").textContent = why;
    dialog.querySelector("[data-fork-when]").textContent = t("fork.when", { cluster, when: moment.when() });
    dialog.querySelector("[data-fork-without]").hidden = true;
    dialog.querySelector("[data-choices]").replaceChildren();
    dialog.querySelector("#fork-name").value = proposed();
  },
  async "what-if"(dialog) {
    OPEN.fork(dialog, { why: "whatif.why" });
    const field = dialog.querySelector("[data-fork-without]");
    const list = dialog.querySelector("[data-choices]");
    field.hidden = false;
    list.replaceChildren(element("p", t("loading")));
    try {
      const rows = await candidates();
      if (rows.length) list.replaceChildren(...rows.map(choice));
      else list.replaceChildren(element("p", t("whatif.none")));
    } catch (error) {
      list.replaceChildren(element("p", t("failed", { why: error.message })));
    }
  },
  bookmark(dialog) {
    // The moment in which somebody reached for the flag, not that in which its name was written.
    flagged = moment.link();
    flagged.catch(() => {});
    dialog.querySelector("[data-bookmark-when]").textContent = moment.when();
    const name = dialog.querySelector("#bookmark-name");
    name.value = document.querySelector("[data-caption-now], [data-caption]")?.textContent.trim().slice(0, 60) || moment.when();
    name.select();
  },
  async copy(dialog) {
    const field = dialog.querySelector("#copy-link");
    const line = dialog.querySelector("[data-copied]");
    field.value = line.textContent = "";
    try {
      field.value = await moment.link();
      await navigator.clipboard.writeText(field.value);
      line.textContent = t("copy.done");
    } catch {
      line.textContent = field.value ? t("copy.select") : t("copy.failed");
    }
    field.select();
  },
  history(dialog) {
    history(dialog);
  },
};

function proposed() {
  const stem = cluster.slice(0, 32).replace(/-+$/, "");
  const seconds = Math.floor(moment.shown() / 1e6);
  return `${stem}-${seconds}s`.slice(0, 40);
}

// What could have gone otherwise: what people asked before this moment, the latest first, and what was done to the cluster.
async function candidates() {
  const answer = await call("GET", "/requests?limit=300");
  const rows = (answer.requests ?? answer).filter((row) => row.outside && !row.initiator && !/^(get|list|watch)$/.test(row.verb)).slice(0, 12);
  const mine = Number(document.querySelector("[data-trace]")?.dataset.trace ?? 0);
  // The request that one looks at. One that a component of the cluster made is lost by the network: nobody outside asked for it.
  const own = mine && !rows.some((row) => row.id === mine) ? await call("GET", `/requests/${mine}`).catch(() => null) : null;
  const apart = own && (own.initiator || !own.outside);
  const lost = own ? [{ value: { request: mine }, words: t(apart ? "whatif.lost" : "whatif.request", { who: who(own), verb: own.verb, what: what(own), when: instant(own.startMicros) }), picked: true }] : [];
  const requests = rows.map((row) => ({ value: { request: row.id }, words: t("whatif.request", { who: who(row), verb: row.verb, what: what(row), when: instant(row.startMicros) }), picked: row.id === mine }));
  const acts = tape.known().filter((one) => one.input != null && one.atMicros <= moment.shown()).slice(-6).map((one) => ({ value: { input: one.input }, words: t("whatif.act", { label: one.label, when: instant(one.atMicros) }) }));
  const sent = moment.stepped.at === moment.exact() && moment.stepped.event?.t === "flight" ? moment.stepped.event : null;
  const message = sent ? [{ value: { message: { src: sent.src, dst: sent.dst, sentMicros: sent.sentMicros, kind: sent.kind } }, words: t("whatif.message", { ...sent, when: instant(sent.sentMicros) }) }] : [];
  return [...lost, ...message, ...requests, ...acts];
}

function choice(row, index) {
  const line = element("label", "", { class: "check" });
  const input = element("input", "", { type: "radio", name: "without", value: JSON.stringify(row.value) });
  input.checked = row.picked || index === 0;
  line.append(input, element("span", row.words));
  return line;
}

async function fork(dialog, data) {
  const button = dialog.querySelector("button.primary");
  button.disabled = true;
  try {
    const name = data.get("name");
    const without = data.get("without") ? JSON.parse(data.get("without")) : undefined;
    await call("POST", "/fork", { name, ...(past() ? { at: moment.exact() } : {}), ...(without ? { without } : {}) });
    if (act?.path) await call(act.method, act.path, act.body, { cluster: name, live: true });
    const there = new URL(location.href);
    there.searchParams.delete("at");
    there.pathname = there.pathname.replace(/^\/clusters\/[^/]+\//, `/clusters/${encodeURIComponent(name)}/`);
    location.assign(there);
  } catch (error) {
    said(dialog, t("failed", { why: error.message }));
  } finally {
    button.disabled = false;
  }
}

// What every shape means: few look, so it is not part of every page.
async function legend(place) {
  const answer = await fetch("/style/?part=legend").catch(() => null);
  place.innerHTML = answer?.ok ? await answer.text() : "";
}

// ---- history -----------------------------------------------------------------------------------------------------------

const MEGA = 1024 * 1024;
const LIMITS = [16, 32, 64, 128, 256, 512];

async function history(dialog) {
  const reach = dialog.querySelector("[data-history-reach]");
  try {
    const [told, set] = await Promise.all([call("GET", "/history"), call("GET", "/bookmarks")]);
    const size = (bytes) => (bytes / MEGA).toFixed(bytes < 10 * MEGA ? 1 : 0);
    reach.textContent = t("history.reach", { since: instant(told.sinceMicros), length: span(Math.max(0, now(live) - told.sinceMicros)), used: size(told.bytes), limit: size(told.limitBytes) });
    const part = Math.min(told.bytes / told.limitBytes, 1);
    dialog.querySelector(".fill .part").setAttribute("width", `${(part * 100).toFixed(1)}%`);
    const select = dialog.querySelector("[data-history-limit]");
    const limits = [...new Set([...LIMITS.map((one) => one * MEGA), told.limitBytes])].sort((a, b) => a - b);
    select.replaceChildren(...limits.map((bytes) => new Option(t("history.mb", { n: size(bytes) }), String(bytes), bytes === told.limitBytes, bytes === told.limitBytes)));
    bookmarks(dialog, set.bookmarks ?? set);
    branches(dialog, told);
  } catch (error) {
    reach.textContent = t("failed", { why: error.message });
  }
  const marks = tape.inView().slice(-200).reverse();
  dialog.querySelector("[data-history-marks]").replaceChildren(...(marks.length ? marks.map(mark) : [element("li", t("history.nothing"))]));
}

function to(at, words) {
  return element("a", words, { href: moment.address(at), "data-at": at });
}

function mark(one) {
  const line = element("li");
  line.append(to(one.at || String(Math.floor(one.atMicros)), instant(one.atMicros)), ` ${tape.name(one)}`);
  return line;
}

function bookmarks(dialog, rows) {
  const list = dialog.querySelector("[data-history-bookmarks]");
  list.replaceChildren(...rows.map((row) => {
    const line = element("li");
    line.append(to(row.at, `${instant(row.nowMicros)} ${row.name}`), " ", element("button", t("history.forget"), { type: "button", "data-forget": row.id, "aria-label": `${t("history.forget")}: ${row.name}` }));
    return line;
  }));
  if (!rows.length) list.append(element("li", t("history.nobookmark")));
}

function branches(dialog, told) {
  const list = dialog.querySelector("[data-history-branches]");
  const line = (one, words) => {
    const row = element("li");
    const compare = element("a", t("history.compare"), { href: `/clusters/${encodeURIComponent(cluster)}/compare/?${new URLSearchParams({ ...(past() ? { at: moment.exact() } : {}), with: one.cluster })}` });
    row.append(element("a", words, { href: `/clusters/${encodeURIComponent(one.cluster)}/` }), " ", compare);
    return row;
  };
  const rows = (told.branches ?? []).map((one) => line(one, t("tape.branch", one)));
  if (told.parent) rows.unshift(line(told.parent, t("tape.parent", told.parent)));
  list.replaceChildren(...(rows.length ? rows : [element("li", t("history.nobranch"))]));
}
