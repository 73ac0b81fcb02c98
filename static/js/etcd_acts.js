// What one does on the etcd page: acts on members and ways, one-key set-ups, the choice of the next event; each is said, each can be undone.
// Undo never rewinds: it makes a branch from just before the act (POST fork); both are kept and can be compared.
// Out: calls of the control API. In the past the frame offers to do it in a fork (control.js).

import { call, InThePast } from "./control.js";
import { clock, cluster, live as running, now, on, past, setClock } from "./feed.js";
import { say } from "./captions.js";
import * as backups from "./etcd_backups.js";
import { keysOn } from "./shortcuts.js";
import { t } from "./words.js";

const KEEP = 20;
const SLOW_WAY_MS = 200;
const SLOW_DISK_MS = 400;
const store = `acts:${cluster}`;
let live = null;
let refresh = null;
let facts = null;
let heard = false;
let working = false;
let before = null; // the moment before the act that is being done, until it is remembered

export function start(where, tools) {
  live = where;
  ({ refresh, facts } = tools);
  live.addEventListener("click", pressed);
  live.addEventListener("keydown", keyed);
  live.addEventListener("submit", added);
  backups.start(live, { act, sent, refresh });
  offerUndo();
  if (heard) return;
  heard = true;
  document.addEventListener("click", (event) => {
    const button = event.target.closest?.("[data-setup]");
    if (button) setUp(button.dataset.setup);
    else if (event.target.closest?.("[data-write]")) writeKey();
  });
  document.addEventListener("keydown", short);
  document.addEventListener("moved", offerUndo);
  on("clock", quicken);
}

// An act's calls. With the first that succeeds something has changed, which can be undone even if the next ones fail.
async function sent(method, path, body) {
  const told = await call(method, path, body);
  if (before !== null) {
    remember(before);
    before = null;
  }
  return told;
}
const post = (path, body = {}) => sent("POST", path, body);
const member = (id, deed, body) => post(`/etcd/members/${encodeURIComponent(id)}/${deed}`, body);
const pairs = (a, b) => a.flatMap((x) => b.filter((y) => y !== x).flatMap((y) => [[x, y], [y, x]]));
const unique = (list) => [...new Map(list.map((pair) => [pair.join(">"), pair])).values()];

// ---- one act: remember the moment before it, do it, say it ----------------------------------------------------------------

async function act(sentence, work, outcome = "change") {
  if (working) return;
  working = true;
  try {
    before = await moment();
    await work();
    if (sentence) say(typeof sentence === "function" ? sentence() : sentence, { outcome });
  } catch (error) {
    if (!(error instanceof InThePast)) say(t("e.failed", { why: error.message }), { outcome: "error" });
  } finally {
    working = false;
    before = null;
  }
  document.dispatchEvent(new CustomEvent("acted"));
}

async function moment() {
  const told = past() ? null : await call("GET", "/clock").catch(() => null);
  return Math.max((told?.nowMicros ?? Math.floor(now())) - 1, 0);
}

const DEEDS = {
  stop: ["error", (id) => member(id, "stop")],
  start: ["ok", (id) => member(id, "start")],
  pause: ["wait", (id) => member(id, "pause")],
  resume: ["ok", (id) => member(id, "resume")],
  timer: ["change", (id) => member(id, "campaign")],
  lead: ["change", (id) => member(leader()?.id ?? id, "transfer", { to: id })],
  slow: ["change", (id) => member(id, "disk", { fsyncMs: [SLOW_DISK_MS, SLOW_DISK_MS] })],
  quick: ["ok", (id) => member(id, "disk", {})],
  promote: ["change", (id) => member(id, "promote")],
  remove: ["error", (id) => sent("DELETE", `/etcd/members/${encodeURIComponent(id)}`)],
};

const deed = (name, id) => act(t(`e.${name}`, { name: id }), () => DEEDS[name][1](id), DEEDS[name][0]);

function pressed(event) {
  const button = event.target.closest?.("button, [data-member]");
  if (!button) return;
  const { dataset } = button;
  if (dataset.deed) deed(dataset.deed, button.closest("[data-member-acts]").dataset.memberActs);
  else if (dataset.wayCell) way(...dataset.wayCell.split(" "), dataset.state);
  else if (dataset.isolate) isolate(dataset.isolate);
  else if (dataset.event) chosen(button);
  else if (dataset.member) pick(dataset.member);
}

// A member that is pressed is found in the table, where its acts are.
async function pick(id) {
  if (live.querySelector("[data-part=panel]").dataset.panel !== "members") await (await import("./etcd.js")).open("members");
  for (const row of live.querySelectorAll("[data-row]")) row.classList.toggle("is-chosen", row.dataset.row === id);
  live.querySelector(`[data-row="${CSS.escape(id)}"]`)?.scrollIntoView({ block: "nearest" });
}

function added(event) {
  if (!event.target.matches("[data-add-member]")) return;
  event.preventDefault();
  const form = event.target;
  const data = new FormData(form);
  const name = data.get("name");
  act(t("e.add", { name }), async () => {
    await post("/etcd/members", { name, learner: data.has("learner") });
    form.dataset.sent = ""; // what was typed is done with: the next reading brings a fresh form
  }, "ok");
}

// ---- ways ----------------------------------------------------------------------------------------------------------------

export function cutApart(a, b) {
  const voters = facts().members.filter((one) => !one.learner).length;
  const apart = unique(pairs(a, b));
  const together = unique([...pairs(a, a), ...pairs(b, b)]);
  const cut = facts().ways.filter((way) => way[2] === "cut").map((way) => `${way[0]}>${way[1]}`);
  const mend = together.filter((pair) => cut.includes(pair.join(">")));
  return act(t("e.cut", { a: a.join(" "), b: b.join(" "), need: Math.floor(voters / 2) + 1, voters }), () => post("/network/cuts", { cut: apart, mend }), "error");
}

function way(a, b, state) {
  const how = state !== "ok" ? "mend" : live.querySelector("[name=way-how]:checked")?.value ?? "cut";
  const work = {
    mend: () => (state === "apart" ? post("/network/heal") : post("/network/cuts", { mend: [[a, b]] })),
    cut: () => post("/network/cuts", { cut: [[a, b]] }),
    slow: () => post("/network/link", { a, b, latencyMs: SLOW_WAY_MS, oneWay: true }),
    lossy: () => post("/network/link", { a, b, loss: 0.3, oneWay: true }),
  }[how];
  return act(t(`e.way.${how}`, { a, b }), work, how === "mend" ? "ok" : "change");
}

function isolate(id) {
  const others = facts().members.map((one) => one.id).filter((one) => one !== id);
  const ways = unique(pairs([id], others));
  const whole = facts().ways.every((one) => (one[0] !== id && one[1] !== id) || one[2] === "ok");
  return act(t(whole ? "e.off" : "e.on", { name: id }), () => post("/network/cuts", whole ? { cut: ways } : { mend: ways }), whole ? "error" : "ok");
}

// ---- what happens next is chosen -----------------------------------------------------------------------------------------

function chosen(button) {
  const box = button.closest("[data-choose]");
  const said = box.closest("li").querySelector(".due-words > span").textContent;
  return choose({ sequence: Number(box.dataset.sequence), op: button.dataset.event, said });
}

// That event goes next, alone: it happens at this very instant.
export function choose({ sequence, op, said }) {
  const words = { deliver: "e.next", drop: "e.drop", delay: "e.delay" }[op];
  return act(t(words, { said }), () => post(`/messages/${sequence}/${op}`, op === "delay" ? { micros: 100_000 } : {}));
}

// Where the focus goes when the event that had it has happened.
export const after = (box, key) => (/^(due|delay|drop)-/.test(key) ? box.querySelector("[data-event=deliver]") : null);

function keyed(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const due = event.target.closest?.("[data-panel=next] .panel");
  if (due && /^[1-9]$/.test(event.key)) {
    // A digit means an event here, never a set-up, even where there is none of that number.
    event.preventDefault();
    event.stopPropagation();
    const button = due.querySelectorAll("[data-event=deliver]")[Number(event.key) - 1];
    if (button) chosen(button);
    return;
  }
  const here = event.target.closest?.("[data-member]");
  if (!here || !(event.key === "Enter" || event.key === " " || keysOn())) return;
  const id = here.dataset.member;
  const one = facts().members.find((row) => row.id === id);
  const deeds = { x: one.up ? "stop" : "start", p: one.up && (one.paused ? "resume" : "pause"), e: one.up && one.shape !== "leader" && "timer" };
  if (deeds[event.key]) deed(deeds[event.key], id);
  else if (event.key === "i") isolate(id);
  else if (event.key === "Enter" || event.key === " ") pick(id);
  else return;
  event.preventDefault();
  event.stopPropagation();
}

// ---- set-ups ---------------------------------------------------------------------------------------------------------------

const leader = () => facts().members.filter((one) => one.shape === "leader" && one.up && !one.paused).sort((a, b) => b.term - a.term)[0];
const awake = () => facts().members.filter((one) => one.up && !one.paused);
const voters = () => awake().filter((one) => !one.learner);
const run = async (micros) => {
  setClock(await post("/clock/run", { micros }));
  await refresh();
};

// Slow enough to be seen, for so long; then as quick as before. Who sets the speed meanwhile keeps it.
let quick = JSON.parse(sessionStorage.getItem(`quick:${cluster}`) ?? "null");

function keep(value) {
  quick = value;
  if (value) sessionStorage.setItem(`quick:${cluster}`, JSON.stringify(value));
  else sessionStorage.removeItem(`quick:${cluster}`);
}

async function slowly(rate, micros) {
  const before = quick?.before ?? running.rate;
  setClock(await call("PATCH", "/clock", { rate, paused: false }));
  keep({ before, rate, until: now() + micros });
}

function quicken() {
  if (!quick || past()) return;
  if (running.rate !== quick.rate) keep(null);
  else if (now() >= quick.until) {
    const { before } = quick;
    keep(null);
    call("PATCH", "/clock", { rate: before }).then(setClock, () => {});
  }
}

const put = (id, key) => post("/etcd/ops", { member: id, f: "put", key, value: new Date(now() / 1000).toISOString().slice(14, 23), linearizable: true });
let written = 0;

function writeKey() {
  const to = leader() ?? awake()[0];
  if (!to) return;
  written += 1;
  const key = `/lab/key-${written}`;
  act(t("e.write", { key, leader: to.id }), async () => {
    if (!running.paused) await slowly(0.001, 12_000);
    await put(to.id, key);
  });
}

const SETUPS = {
  async split(first) {
    const others = voters().filter((one) => one.id !== first.id).map((one) => one.id);
    await member(first.id, "stop");
    await post("/network/cuts", { slow: unique(pairs(others, others)), slowMs: 20 });
    await post("/etcd/timers", { members: others, micros: 1_100_000 });
    await run(1_060_000);
    await slowly(0.01, 260_000);
    return t("e.split", { leader: first.id, others: others.join(", ") });
  },
  async isolate(first) {
    const others = facts().members.map((one) => one.id).filter((one) => one !== first.id);
    await post("/network/cuts", { cut: unique(pairs([first.id], others)) });
    await slowly(0.1, 4_000_000);
    return t("e.isolate", { leader: first.id });
  },
  async disk(first) {
    await member(first.id, "disk", { fsyncMs: [SLOW_DISK_MS, SLOW_DISK_MS] });
    await slowly(0.01, 60_000);
    await put(first.id, "/lab/slow");
    return t("e.disk", { leader: first.id });
  },
  async behind(first) {
    const last = voters().filter((one) => one.id !== first.id).at(-1).id;
    await member(last, "stop");
    for (let n = 1; n <= 4; n += 1) await put(first.id, `/lab/while-away-${n}`);
    await run(600_000);
    const then = leader();
    if (!then) throw new Error(t("e.noleader"));
    for (const one of awake()) await member(one.id, "snapshot");
    for (let n = 5; n <= 7; n += 1) await put(then.id, `/lab/while-away-${n}`);
    await run(200_000);
    await post("/network/cuts", { slow: [[then.id, last], [last, then.id]], slowMs: 40 });
    await member(last, "start");
    // Until the leader's first word to it is on its way, which takes a heartbeat or two.
    for (let n = 0; n < 30 && !facts().flights.some((one) => one.dst === last && /^Msg(App|Snap)$/.test(one.kind)); n += 1) await run(20_000);
    await slowly(0.01, 260_000);
    return t("e.behind", { member: last, leader: then.id });
  },
  async quorum(first) {
    const need = Math.floor(facts().members.filter((one) => !one.learner).length / 2) + 1;
    const gone = voters().filter((one) => one.id !== first.id).slice(need - 2 < 0 ? 0 : need - 2);
    for (const one of gone) await member(one.id, "stop");
    await slowly(0.1, 2_500_000);
    return t("e.quorum", { stopped: gone.map((one) => one.id).join(", "), leader: first.id });
  },
  async returns(first) {
    const others = facts().members.map((one) => one.id).filter((one) => one !== first.id);
    const ways = unique(pairs([first.id], others));
    await post("/network/cuts", { cut: ways });
    await put(first.id, "/lab/never-committed");
    let next = null;
    for (let tries = 0; tries < 6 && !next; tries += 1) {
      await run(1_500_000);
      next = facts().members.find((one) => one.shape === "leader" && one.id !== first.id && one.term > first.term);
    }
    if (!next) throw new Error(t("e.noleader"));
    await put(next.id, "/lab/of-the-new-term");
    await run(60_000);
    await post("/network/cuts", { mend: ways });
    await slowly(0.01, 260_000);
    return t("e.returns", { old: first.id, leader: next.id });
  },
};
const LEAST = { split: 3, isolate: 2, behind: 3, quorum: 2, returns: 3 };

async function setUp(name) {
  if (past() || working) return;
  await refresh();
  if (name === "mend") return act(t("e.mend"), mendAll, "ok");
  const need = name === "quorum" ? 1 : LEAST[name] ?? 1;
  if (voters().length < need && facts().members.filter((one) => !one.learner && !one.removed).length < need) return say(t("e.few", { n: need }), { outcome: "wait" });
  say(t("e.working"), { quiet: true, outcome: "wait" });
  let told = "";
  return act(() => told, async () => (told = await SETUPS[name](await led(need))));
}

// Somebody who leads, with enough others awake: an election is awaited, and where none can come everything is mended first.
async function led(need) {
  for (let tries = 0; tries < 16; tries += 1) {
    const first = leader();
    if (first && voters().length >= need) return first;
    if (tries === 6 || (first && voters().length < need)) await mendAll();
    await run(500_000);
  }
  throw new Error(t("e.noleader"));
}

async function mendAll() {
  if (quick && running.rate === quick.rate) setClock(await call("PATCH", "/clock", { rate: quick.before }));
  keep(null);
  await post("/network/heal");
  for (const one of facts().members) {
    if (!one.up) await member(one.id, "start");
    else if (one.paused) await member(one.id, "resume");
    await member(one.id, "disk", {});
  }
}

const KEYS = { 1: "split", 2: "isolate", 3: "disk", 4: "behind", 5: "quorum", 6: "returns", 7: "mend" };

function short(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || !keysOn() || past()) return;
  if (event.target.closest("input, select, textarea, [contenteditable], dialog, [data-console]")) return;
  if (KEYS[event.key]) setUp(KEYS[event.key]);
  else if (event.key === "w") writeKey();
  else if (event.key === "u") undo();
  else return;
  event.preventDefault();
}

// ---- undo ----------------------------------------------------------------------------------------------------------------

function done() {
  try {
    return JSON.parse(sessionStorage.getItem(store) ?? "[]");
  } catch {
    return [];
  }
}

function remember(at) {
  sessionStorage.setItem(store, JSON.stringify([...done(), { at }].slice(-KEEP)));
  offerUndo();
}

function offerUndo() {
  const line = document.querySelector(".etcd-tools [data-undo]");
  if (!line) return;
  line.hidden = !done().length || past();
  if (line.hidden) return;
  const button = document.createElement("button");
  button.type = "button";
  const key = document.createElement("kbd");
  key.textContent = "u";
  button.append(key, " ", t("e.undo"));
  button.setAttribute("aria-label", t("e.undo.how"));
  button.title = t("e.undo.how");
  button.addEventListener("click", undo);
  line.replaceChildren(button);
}

// A branch from just before the last act, paused; this cluster goes on.
async function undo() {
  const last = done().at(-1);
  if (!last) return say(t("e.undo.none"), { outcome: "wait" });
  const line = document.querySelector(".etcd-tools [data-undo]");
  line.hidden = false;
  line.replaceChildren(t("e.undo.works"));
  for (let n = 1; n < 50; n += 1) {
    const name = `${cluster}-before-${n}`.slice(-40).replace(/^-+/, "");
    try {
      await call("POST", "/fork", { name, at: last.at });
    } catch (error) {
      if (/already/.test(error.message)) continue;
      say(t("e.failed", { why: error.message }), { outcome: "error" });
      return offerUndo();
    }
    sessionStorage.setItem(store, JSON.stringify(done().slice(0, -1)));
    say(t("e.undo.made", { name }), { href: `/clusters/${name}/etcd/` });
    const link = (words, href) => Object.assign(document.createElement("a"), { textContent: words, href });
    const to = link(name, `/clusters/${name}/etcd/`);
    to.setAttribute("aria-label", t("e.undo.open", { name }));
    line.replaceChildren(to, " · ", link(t("e.undo.compare"), `/clusters/${cluster}/etcd/?tab=branches&beside=${name}`));
    to.focus();
    return;
  }
  say(t("e.failed", { why: t("e.undo.full") }), { outcome: "error" });
  offerUndo();
}
