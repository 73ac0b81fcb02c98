// The lesson's panel on a page of its cluster: asks once a second whether the step's end has come, and follows when somebody else goes on.
// Nothing is decided here: the cluster is asked, so a kubectl in a terminal counts as much as a click.

import { call } from "./control.js";
import { cluster, live } from "./feed.js";
import { t } from "./words.js";

const POLL_MS = 1000;
const STUCK_MS = 45_000; // so long a step stands before its hint comes by itself
const KEPT = ["screen", "lang", "theme"];
let side = null;
let state = null;
let busy = false;
let since = Date.now(); // when something was last done here
let held = ""; // the button that has the focus when the step is drawn anew: what was pressed may be gone, or dead

const one = (selector, root = side) => root.querySelector(selector);
const all = (selector, root = side) => [...root.querySelectorAll(selector)];

export function start(part) {
  side = part;
  side.addEventListener("click", clicked);
  setInterval(() => document.hidden || poll(), POLL_MS);
  document.addEventListener("moved", mark);
  poll();
  look();
  mark();
}

const lesson = (method, body) => call(method, "/lesson", body, { live: true });

async function poll() {
  if (busy) return;
  busy = true;
  try {
    await take(await lesson("GET"));
  } catch {
    // The strip at the top says that the connection is lost; the panel keeps what it knew.
  } finally {
    busy = false;
  }
  mark();
}

// What the server says of the present step; another step is fetched as a whole, in the reader's language.
async function take(told) {
  const body = one("[data-lesson-body]");
  const was = state;
  state = told;
  if (Number(body.dataset.step) !== told.step || (was && JSON.stringify(was.answers) !== JSON.stringify(told.answers))) return redraw(told, was);
  const done = told.done.includes(told.step);
  const line = one("[data-lesson-state]");
  const words = line && t(done ? "l.done" : told.early ? "l.early" : live.paused ? "l.paused" : "l.waiting");
  if (line && words !== one("[data-lesson-state-words]").textContent) {
    line.classList.toggle("is-allow", done);
    one("use", line).setAttribute("href", done ? "#verdict-allow" : "#verdict-wait");
    one("[data-lesson-state-words]").textContent = words;
    if (done) tell(`${t("l.done")} ${one("[data-lesson-done]")?.textContent ?? ""}`);
  }
  const after = one("[data-lesson-done]");
  if (after) after.hidden = !done;
  // Why the cluster could not be asked, for as long as it could not.
  if ((told.trouble ?? "") !== (was?.trouble ?? "")) trouble(told.trouble ?? "");
  for (const said of all("[data-lesson-wrong]")) said.hidden = done || !told.wrong[Number(said.dataset.lessonWrong)];
  help(line && !done && !told.early && told.wrong.every((wrong) => !wrong));
  if (done) {
    one("[data-go=next]").classList.add("primary");
    const word = one("[data-next-word]");
    if (word) word.textContent = one("[data-next-done]").textContent;
  }
  for (const dot of all(".lesson-dots button")) {
    const did = told.done.includes(Number(dot.dataset.lessonStep));
    if (did && !dot.classList.contains("is-done")) {
      dot.classList.add("is-done");
      dot.firstElementChild.textContent = "✓";
    }
  }
  return undefined;
}

// Who has stood here for a while, and has not been told of a wrong way, gets the hint without asking.
function help(needed) {
  const said = one("[data-lesson-stuck]");
  if (!said) return;
  const late = needed && Date.now() - since > STUCK_MS;
  if (said.hidden === !late) return;
  said.hidden = !late;
  const hint = one("[data-lesson-hint]");
  if (hint && late) hint.open = true;
  if (late) tell(`${hint?.textContent ?? ""} ${said.textContent}`.trim());
}

// The step is fetched once: what has changed since is the next question's business.
async function redraw(told, was) {
  since = Date.now();
  const answer = await fetch(`/clusters/${encodeURIComponent(cluster)}/lesson/${location.search}`);
  if (!answer.ok) return;
  const focus = held || (side.contains(document.activeElement) && document.activeElement.dataset.go);
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  one("[data-lesson]").replaceChildren(...[...fresh.body.childNodes].map((node) => document.adoptNode(node)));
  const verdict = one(".lesson-verdict");
  const answered = verdict && was?.step === told.step && String(told.step) in told.answers && !(String(told.step) in was.answers);
  if (focus) one(`[data-go="${focus}"]`)?.focus({ preventScroll: true });
  tell((answered ? verdict : one("[data-lesson-sentence]")).textContent.trim());
  if (!answered) side.scrollTop = 0;
  trouble(told.trouble ?? "");
  look();
  mark();
}

function tell(words) {
  one("[data-lesson-said]").textContent = words;
}

// Which page the step wants, and whether this is it.
function look() {
  const body = one("[data-lesson-body]");
  const line = one("[data-lesson-look]");
  if (line) line.hidden = here(body.dataset.path);
  const go = one("[data-lesson-go-page]");
  if (go) go.href = kept(body.dataset.path, body.dataset.query);
}

const here = (path) => location.pathname === path;

function kept(path, query) {
  const address = new URLSearchParams(query ?? "");
  for (const [name, value] of new URLSearchParams(location.search)) if (KEPT.includes(name)) address.set(name, value);
  return path + (address.size ? `?${address}` : "");
}

// What to look at; parts of the page come and go, so it is marked anew.
function mark() {
  const wanted = one("[data-lesson-body]")?.dataset.mark;
  const now = new Set(wanted ? document.querySelectorAll(wanted) : []);
  for (const node of document.querySelectorAll(".lesson-mark")) if (!now.has(node)) node.classList.remove("lesson-mark");
  for (const node of now) node.classList.add("lesson-mark");
}

async function clicked(event) {
  const button = event.target.closest("button");
  if (!button) return;
  const { lessonStep, lessonAct, lessonAnswer, lessonCopy, lessonReset } = button.dataset;
  if (lessonCopy !== undefined) return void copy(button);
  const body =
    lessonStep !== undefined ? { op: "go", step: Number(lessonStep) }
    : lessonAct !== undefined ? { op: "act", act: Number(lessonAct) }
    : lessonAnswer !== undefined ? { op: "answer", choice: Number(lessonAnswer) }
    : lessonReset !== undefined ? { op: "reset" }
    : null;
  if (!body) return;
  trouble("");
  since = Date.now();
  button.disabled = true;
  held = body.op === "answer" ? "next" : button.dataset.go ?? "";
  if (body.op === "reset") tell(t("l.reset"));
  try {
    const told = await lesson("POST", body);
    if (body.op === "reset") {
      location.assign(kept(...told.href.split("?")));
      return;
    }
    const [path, query] = told.href.split("?");
    const shown = new URLSearchParams(location.search);
    const same = [...new URLSearchParams(query ?? "")].every(([name, value]) => shown.get(name) === value);
    if (body.op === "go" && !(here(path) && same)) {
      location.assign(kept(path, query));
      return;
    }
    if (body.op === "act") document.dispatchEvent(new CustomEvent("acted"));
    await take(told);
  } catch (error) {
    trouble(t("l.failed", { why: error.message }));
  } finally {
    held = "";
    button.disabled = false;
    if (document.activeElement === document.body && button.isConnected) button.focus({ preventScroll: true });
  }
}

async function copy(button) {
  try {
    await navigator.clipboard.writeText(button.dataset.lessonCopy);
    tell(t("l.copied"));
  } catch {
    getSelection().selectAllChildren(button.closest(".lesson-line").querySelector("code"));
  }
}

function trouble(words) {
  const line = one("[data-lesson-trouble]");
  line.hidden = !words;
  line.textContent = words;
}
