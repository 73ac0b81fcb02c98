// The console: a line in, a block out, with its exit code, its time by both clocks and links to the requests it made, whose traces open beside
// it. A running command streams, and is stopped with Ctrl-C; another line may run beside it in a second terminal.
//
// Kept for this tab, by cluster: blocks (bounded) and the lines that were typed; earlier lines also outlive the tab. Keys that a text field needs
// (Tab to leave, composing Korean) keep working: Tab completes only where something is typed, and nothing is taken while a syllable is being composed.

import { call } from "./control.js";
import { LEAST, MOST, lines as height, resize } from "./dock.js";
import { cluster, live, now, onLive } from "./feed.js";
import { beside } from "./beside.js";
import { history } from "./history.js";
import { choices } from "./choices.js";
import { instant, span, t } from "./words.js";

const KEEP_BLOCKS = 60;
const KEEP_TEXT = 100_000;
const STORE_TEXT = 6_000;
const SHOWN_LINKS = 8;
const KEEP_NAMES = 300;

let console_ = null;

export function start(dock) {
  return (console_ ??= new Console(dock));
}

class Console {
  constructor(dock) {
    this.dock = dock;
    this.out = dock.querySelector("[data-console-out]");
    this.input = dock.querySelector("#line");
    this.stop = dock.querySelector("[data-console-stop]");
    this.label = dock.querySelector("[data-console-label]");
    this.said = dock.querySelector("[data-console-said]");
    this.session = stored(`console:${cluster}`) ?? `s${Date.now().toString(36)}${Math.floor(Math.random() * 1e6).toString(36)}`;
    store(`console:${cluster}`, this.session);
    this.history = history(cluster);
    this.running = new Set();
    this.recent = new Map();
    this.blocks = [];
    this.composing = false;
    this.beside = beside(dock);
    this.choices = choices(dock.querySelector("[data-choices]"), this.input, (line) => call("POST", "/console/complete", { session: this.session, line }), (text) => this.tell(text));
    this.bind();
    this.restore();
    this.grip(dock.querySelector("[data-console-grip]"));
    setInterval(() => this.tick(), 1000);
    onLive("request", (event) => this.learn(event));
  }

  // What a request was, for the link to it, whichever of the two comes first.
  learn(event) {
    const words = `${event.method} ${event.resource || event.path.split("?")[0]}`;
    this.recent.set(event.id, words);
    if (this.recent.size > KEEP_NAMES) this.recent.delete(this.recent.keys().next().value);
    for (const link of this.out.querySelectorAll(`a[data-trace-of="${event.id}"]`)) name(link, words);
    for (const block of this.blocks) if (block.requests.includes(event.id)) block.names[event.id] = words;
  }

  bind() {
    const { input } = this;
    input.addEventListener("compositionstart", () => (this.composing = true));
    input.addEventListener("compositionend", () => (this.composing = false));
    input.addEventListener("keydown", (event) => this.key(event));
    input.addEventListener("input", () => {
      this.grow();
      this.choices.shut();
      if (this.history.searching) this.look(false);
    });
    this.stop.addEventListener("click", () => this.interrupt());
    window.addEventListener("pagehide", () => this.keep());
  }

  tell(text) {
    this.said.textContent = text;
  }

  grow() {
    this.input.rows = Math.min(this.input.value.split("\n").length, 8);
  }

  put(text) {
    this.input.value = text;
    this.input.setSelectionRange(text.length, text.length);
    this.grow();
  }

  type(line) {
    this.dock.open = true;
    this.put(line);
    this.input.focus();
  }

  // -- keys ---------------------------------------------------------------------------------------------------------------

  key(event) {
    if (event.isComposing || this.composing || event.keyCode === 229) return;
    if (this.history.searching && this.searchKey(event)) return event.preventDefault();
    if (this.choices.key(event)) return event.preventDefault();
    const plain = !event.ctrlKey && !event.metaKey && !event.altKey;
    const still = this.input.selectionStart === this.input.selectionEnd;
    if (event.key === "Enter" && !event.shiftKey) {
      event.preventDefault();
      if (event.altKey) this.run(true);
      else this.dock.querySelector("[data-console-form]").requestSubmit();
    } else if ((event.key === "ArrowUp" || event.key === "ArrowDown") && plain && this.atEdge(event.key)) {
      event.preventDefault();
      this.put(this.history.move(event.key === "ArrowUp" ? -1 : 1, this.input.value));
    } else if (event.key === "Tab" && plain && !event.shiftKey && this.input.value.trim()) {
      event.preventDefault();
      this.choices.ask();
    } else if (event.ctrlKey && event.key === "c" && still) {
      event.preventDefault();
      if (this.running.size) this.interrupt();
      else this.put("");
      this.tell("");
    } else if (event.ctrlKey && event.key === "l") {
      event.preventDefault();
      this.clear();
    } else if (event.ctrlKey && event.key === "r") {
      event.preventDefault();
      this.history.search(this.input.value);
      this.label.textContent = `${t("c.search")}:`;
      this.put("");
      this.tell(t("c.searching"));
    } else if (event.ctrlKey && event.key === "u") {
      event.preventDefault();
      this.put(this.input.value.slice(this.input.selectionEnd));
      this.input.setSelectionRange(0, 0);
    } else if (event.key === "Escape") this.dock.querySelector("summary").focus();
  }

  atEdge(key) {
    const before = this.input.value.slice(0, this.input.selectionStart);
    const after = this.input.value.slice(this.input.selectionEnd);
    return key === "ArrowUp" ? !before.includes("\n") : !after.includes("\n");
  }

  searchKey(event) {
    if (event.key === "Enter" || event.key === "Tab" || event.key === "ArrowRight") {
      const line = this.history.found ?? this.history.draft;
      this.leaveSearch(line);
      if (event.key === "Enter" && line) this.run();
      return true;
    }
    if (event.key === "Escape" || (event.ctrlKey && /^[gc]$/.test(event.key))) {
      this.leaveSearch(this.history.draft);
      return true;
    }
    if (event.ctrlKey && event.key === "r") {
      this.look(true);
      return true;
    }
    return /^Arrow(Up|Down)$/.test(event.key);
  }

  look(further) {
    const line = this.history.look(this.input.value, further);
    if (!this.input.value) this.tell(t("c.searching"));
    else this.tell(line === null ? t("c.notfound", { text: this.input.value }) : t("c.found", { line }));
  }

  leaveSearch(line) {
    this.history.searching = false;
    this.label.textContent = `${cluster} $`;
    this.put(line);
    this.tell("");
  }

  // -- running ------------------------------------------------------------------------------------------------------------

  async interrupt(block = [...this.running].at(-1)) {
    if (!block) return;
    try {
      await call("POST", "/console/interrupt", { session: block.session });
    } catch {
      block.abort.abort();
    }
    setTimeout(() => this.running.has(block) && block.abort.abort(), 2000);
  }

  clear() {
    this.blocks = this.blocks.filter((block) => this.running.has(block));
    this.out.replaceChildren(...this.blocks.map((block) => block.node));
    this.keep();
  }

  // Run what is typed; `second`: in a terminal beside the one that is busy.
  async run(second = false) {
    if (this.composing || this.history.searching) return;
    const line = this.input.value.replace(/\s+$/, "");
    if (!line.trim()) return;
    const busy = [...this.running].some((block) => block.session === this.session);
    if (busy && !second) return this.tell(t("c.busy"));
    this.history.add(line);
    this.put("");
    this.tell("");
    if (line.trim() === "clear") return this.clear();
    const session = busy ? `${this.session}-${this.running.size + 1}` : this.session;
    const number = 1 + Math.max(0, ...this.blocks.map((one) => one.number ?? 0), this.last ?? 0);
    this.last = number;
    const block = new Block(this, { line, session, number, second: busy, wallMs: Date.now(), startMicros: now(live) });
    document.dispatchEvent(new CustomEvent("console-line", { detail: { number, line, running: true } }));
    this.add(block);
    this.running.add(block);
    this.stop.hidden = false;
    block.abort = new AbortController();
    try {
      const options = { raw: true, signal: block.abort.signal, headers: { Accept: "application/x-ndjson, application/json" } };
      const response = await call("POST", "/console", { session, line }, options);
      await this.read(response, block);
    } catch (error) {
      if (error.name === "AbortError") block.end({ exitCode: 130, word: t("stopped.line") });
      else {
        block.print("err", `${t("failed", { why: error.message })}\n`);
        block.end({ exitCode: 1 });
      }
    } finally {
      this.running.delete(block);
      document.dispatchEvent(new CustomEvent("console-line", { detail: { number, line, running: false } }));
      this.stop.hidden = this.running.size === 0;
      this.keep();
    }
  }

  // One JSON document, or one a line while the command runs.
  async read(response, block) {
    const reader = response.body.getReader();
    const decoder = new TextDecoder();
    let rest = "";
    let last = {};
    const take = (text) => {
      if (!text.trim()) return;
      const piece = JSON.parse(text);
      block.print("text", piece.stdout);
      block.print("err", piece.stderr);
      block.made(piece.requests ?? []);
      last = { ...last, ...piece };
    };
    for (;;) {
      const { value, done } = await reader.read();
      rest += decoder.decode(value ?? new Uint8Array(), { stream: !done });
      if (done) break;
      const pieces = rest.split("\n");
      rest = pieces.pop();
      for (const piece of pieces) take(piece);
    }
    take(rest);
    if (last.clear) return this.clear();
    if (last.more) this.tell(t("c.more"));
    block.end({ exitCode: last.exitCode ?? 0, startMicros: last.startMicros, endMicros: last.endMicros });
  }

  // -- blocks -------------------------------------------------------------------------------------------------------------

  add(block) {
    this.blocks.push(block);
    this.out.append(block.node);
    while (this.blocks.length > KEEP_BLOCKS) this.blocks.shift().node.remove();
    this.bottom(true);
  }

  // Who reads further up is not pulled down.
  bottom(always = false) {
    const near = this.out.scrollHeight - this.out.scrollTop - this.out.clientHeight < 60;
    if (always || near) this.out.scrollTop = this.out.scrollHeight;
  }

  tick() {
    for (const block of this.running) block.clock();
  }

  keep() {
    store(`blocks:${cluster}`, JSON.stringify(this.blocks.slice(-30).map((block) => block.facts())));
  }

  restore() {
    try {
      for (const facts of JSON.parse(stored(`blocks:${cluster}`) ?? "[]")) this.add(new Block(this, facts));
    } catch {
      // What an older page kept is not understood: it is left out.
    }
  }

  grip(node) {
    const set = (to) => {
      node.setAttribute("aria-valuenow", resize(to));
      this.bottom();
    };
    node.setAttribute("aria-valuenow", height());
    node.addEventListener("keydown", (event) => {
      const to = { ArrowUp: height() + 2, ArrowDown: height() - 2, PageUp: height() + 8, PageDown: height() - 8, Home: LEAST, End: MOST }[event.key];
      if (to === undefined) return;
      event.preventDefault();
      set(to);
    });
    node.addEventListener("pointerdown", (event) => {
      event.preventDefault();
      node.setPointerCapture(event.pointerId);
      const from = event.clientY;
      const was = height();
      const line = parseFloat(getComputedStyle(this.out).lineHeight) || 20;
      const move = (at) => set(was + (from - at.clientY) / line);
      node.addEventListener("pointermove", move);
      node.addEventListener("pointerup", () => node.removeEventListener("pointermove", move), { once: true });
    });
  }
}

class Block {
  constructor(owner, facts) {
    this.owner = owner;
    Object.assign(this, { output: [], requests: [], names: {}, exitCode: null, folded: false, second: false, word: "" }, facts);
    this.node = document.createElement("article");
    this.node.className = "block";
    this.head();
    this.body = part("div", "output");
    this.foot = part("p", "after");
    this.node.append(this.body, this.foot);
    const kept = this.output;
    this.output = [];
    for (const [kind, text] of kept) this.print(kind, text);
    this.fold(this.folded);
    if (this.exitCode === null) this.clock();
    else this.close();
  }

  head() {
    const head = part("div", "block-head");
    this.folder = part("button", "fold");
    this.folder.type = "button";
    this.folder.setAttribute("aria-label", t("c.fold", { line: this.line.slice(0, 60) }));
    this.folder.addEventListener("click", () => this.fold(!this.folded));
    const typed = part("pre", "typed", `$ ${this.line}`);
    // The number under which the picture shows what this line set moving.
    if (this.number) typed.prepend(part("span", "number", `#${this.number}`), " ");
    const again = button(t("c.again"), () => this.owner.type(this.line), () => this.owner.run());
    const copy = button(t("c.copy"), () => this.copy());
    const acts = part("span", "block-acts");
    acts.append(again, copy);
    head.append(this.folder, typed, part("span", "when", instant(this.startMicros ?? 0)), acts);
    this.node.append(head);
  }

  fold(to) {
    this.folded = to;
    this.body.hidden = to;
    this.folder.setAttribute("aria-expanded", String(!to));
  }

  print(kind, text) {
    if (!text) return;
    const last = this.output.at(-1);
    if (last?.[0] === kind) last[1] += text;
    else this.output.push([kind, text]);
    let pre = this.body.lastElementChild;
    if (!pre?.classList.contains(kind)) {
      pre = part("pre", kind);
      this.body.append(pre);
    }
    pre.append(text);
    if (pre.textContent.length > KEEP_TEXT) {
      pre.textContent = `${t("c.cut")}\n${pre.textContent.slice(-KEEP_TEXT / 2)}`;
      this.output.at(-1)[1] = pre.textContent;
    }
    this.owner.bottom();
  }

  made(requests) {
    const fresh = requests.filter((id) => !this.requests.includes(id));
    if (!fresh.length) return;
    this.requests.push(...fresh);
    for (const id of fresh) if (this.owner.recent.has(id)) this.names[id] = this.owner.recent.get(id);
    document.dispatchEvent(new CustomEvent("console-request", { detail: { line: this.line, number: this.number, requests: fresh } }));
    if (this.exitCode === null) this.clock();
  }

  // While it runs: for how long, and a way to stop it.
  clock() {
    const wall = span((Date.now() - this.wallMs) * 1000);
    if (!this.word_) {
      this.word_ = part("span", "running-word");
      this.foot.replaceChildren(this.word_, button(t("c.stop"), () => this.owner.interrupt(this)), this.links());
    } else if (this.shown !== this.requests.length) this.foot.lastElementChild.replaceWith(this.links());
    this.shown = this.requests.length;
    this.word_.textContent = live.paused ? t("c.queued") : t("c.running", { wall: wall.replace(/\.\d+/, "") });
  }

  end({ exitCode, startMicros, endMicros, word = "" }) {
    Object.assign(this, { exitCode, word, tookWallMs: Date.now() - this.wallMs });
    if (startMicros != null) Object.assign(this, { startMicros, tookMicros: endMicros - startMicros });
    this.close();
    this.owner.bottom();
  }

  close() {
    const code = part("span", `exit ${this.exitCode === 0 ? "is-allow" : "is-error"}`, this.word || t("exit", { code: this.exitCode }));
    const rows = [code];
    if (this.tookMicros != null) rows.push(part("span", "took", t("c.took", { virtual: span(this.tookMicros), wall: span(this.tookWallMs * 1000) })));
    if (this.second) rows.push(part("span", "", t("c.second")));
    this.foot.replaceChildren(...rows, this.links());
    this.node.querySelector(".when").textContent = instant(this.startMicros ?? 0);
  }

  links(all = false) {
    const row = part("span", "links");
    const shown = all ? this.requests : this.requests.slice(0, SHOWN_LINKS);
    for (const id of shown) {
      const link = part("a", "", t("took.request", { id }));
      if (this.names[id]) name(link, this.names[id]);
      link.href = `/clusters/${encodeURIComponent(cluster)}/requests/${id}/`;
      link.dataset.traceOf = id;
      row.append(link);
    }
    const more = this.requests.length - shown.length;
    if (more) row.append(button(t("c.requests", { n: more }), () => this.foot.lastElementChild.replaceWith(this.links(true))));
    return row;
  }

  async copy() {
    const text = `$ ${this.line}\n${this.output.map(([, words]) => words).join("")}`;
    try {
      await navigator.clipboard.writeText(text);
      this.owner.tell(t("c.copied"));
    } catch {
      getSelection().selectAllChildren(this.body);
      this.owner.tell(t("c.nocopy"));
    }
  }

  facts() {
    const cut = (text) => (text.length > STORE_TEXT ? `${t("c.cut")}\n${text.slice(-STORE_TEXT)}` : text);
    const { line, session, number, second, wallMs, startMicros, tookMicros, tookWallMs, requests, names, folded } = this;
    const left = this.exitCode === null;
    return {
      line, session, number, second, wallMs, startMicros, tookMicros, tookWallMs, names, folded,
      requests: requests.slice(0, 40),
      exitCode: left ? 130 : this.exitCode,
      word: left ? t("c.left") : this.word,
      output: this.output.slice(-6).map(([kind, text]) => [kind, cut(text)]),
    };
  }
}

function part(name, className, text) {
  const node = document.createElement(name);
  if (className) node.className = className;
  if (text !== undefined) node.textContent = text;
  return node;
}

function name(link, words) {
  link.querySelector(".what")?.remove();
  link.prepend(part("span", "what", `${words} `));
}

function button(words, ...deeds) {
  const node = part("button", "small", words);
  node.type = "button";
  node.addEventListener("click", async () => {
    for (const deed of deeds) await deed();
  });
  return node;
}

function stored(key) {
  try {
    return sessionStorage.getItem(key);
  } catch {
    return null;
  }
}

function store(key, value) {
  try {
    sessionStorage.setItem(key, value);
  } catch {
    // No room, or not allowed: it is forgotten with the page.
  }
}
