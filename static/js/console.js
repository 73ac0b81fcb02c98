// The console dock: a line in, a block out, with its exit code and links to the requests it made. A running command streams and can be
// stopped with Ctrl-C. Lines are kept for this tab; Up and Down bring them back.

import { cluster } from "./feed.js";
import { call } from "./control.js";
import { t } from "./words.js";

const KEEP_LINES = 200;
const KEEP_BLOCKS = 80;
let console_ = null;

export function start(dock) {
  console_ ??= new Console(dock);
  console_.input.focus();
  return console_;
}

class Console {
  constructor(dock) {
    this.dock = dock;
    this.out = dock.querySelector("[data-console-out]");
    this.input = dock.querySelector("#line");
    this.stop = dock.querySelector("[data-console-stop]");
    this.session = sessionStorage.getItem("console") ?? `s${Date.now().toString(36)}${Math.floor(Math.random() * 1e6).toString(36)}`;
    sessionStorage.setItem("console", this.session);
    this.lines = JSON.parse(sessionStorage.getItem("lines") ?? "[]");
    this.at = this.lines.length;
    this.draft = "";
    this.running = null;
    this.input.addEventListener("keydown", (event) => this.key(event));
    this.stop.addEventListener("click", (event) => {
      event.preventDefault();
      this.interrupt();
    });
  }

  type(line) {
    this.dock.open = true;
    this.input.value = line;
    this.input.focus();
  }

  key(event) {
    if (event.key === "ArrowUp" || event.key === "ArrowDown") {
      event.preventDefault();
      if (this.at === this.lines.length) this.draft = this.input.value;
      this.at = Math.min(Math.max(this.at + (event.key === "ArrowUp" ? -1 : 1), 0), this.lines.length);
      this.input.value = this.lines[this.at] ?? this.draft;
      this.input.setSelectionRange(this.input.value.length, this.input.value.length);
    } else if (event.key === "c" && event.ctrlKey && this.input.selectionStart === this.input.selectionEnd) {
      event.preventDefault();
      if (this.running) this.interrupt();
      else this.input.value = "";
    } else if (event.key === "l" && event.ctrlKey) {
      event.preventDefault();
      this.out.replaceChildren();
    } else if (event.key === "Escape") this.dock.querySelector("summary").focus();
  }

  async interrupt() {
    if (!this.running) return;
    const abort = this.running;
    try {
      await call("POST", "/console/interrupt", { session: this.session });
    } catch {
      abort.abort();
    }
    setTimeout(() => this.running === abort && abort.abort(), 2000);
  }

  async run() {
    const line = this.input.value.trim();
    if (!line || this.running) return;
    if (this.lines.at(-1) !== line) this.lines.push(line);
    this.lines.splice(0, this.lines.length - KEEP_LINES);
    sessionStorage.setItem("lines", JSON.stringify(this.lines));
    this.at = this.lines.length;
    this.input.value = "";
    this.draft = "";
    if (line === "clear") {
      this.out.replaceChildren();
      return;
    }
    const block = this.block(line);
    this.running = new AbortController();
    this.stop.hidden = false;
    try {
      const options = { raw: true, signal: this.running.signal, headers: { Accept: "application/x-ndjson, application/json" } };
      const response = await call("POST", "/console", { session: this.session, line }, options);
      await this.read(response, block);
    } catch (error) {
      if (error.name === "AbortError") block.end({ exitCode: 130, word: t("stopped.line") });
      else block.end({ exitCode: 1, stderr: `${t("failed", { why: error.message })}\n` });
    } finally {
      this.running = null;
      this.stop.hidden = true;
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
      block.add(piece);
      last = { ...last, ...piece, requests: [...(last.requests ?? []), ...(piece.requests ?? [])] };
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
    block.end({ exitCode: last.exitCode ?? 0, requests: last.requests ?? [] });
  }

  block(line) {
    const block = document.createElement("div");
    block.className = "block";
    const typed = document.createElement("pre");
    typed.className = "typed";
    typed.textContent = `$ ${line}`;
    const foot = document.createElement("p");
    foot.className = "foot";
    foot.textContent = t("running");
    block.append(typed, foot);
    this.out.append(block);
    while (this.out.children.length > KEEP_BLOCKS) this.out.firstElementChild.remove();
    const scroll = () => (this.out.scrollTop = this.out.scrollHeight);
    scroll();
    const print = (text, className) => {
      if (!text) return;
      const previous = foot.previousElementSibling;
      if (previous?.className === className && previous !== typed) previous.append(text);
      else {
        const pre = document.createElement("pre");
        pre.className = className;
        pre.textContent = text;
        foot.before(pre);
      }
      scroll();
    };
    return {
      add: (piece) => {
        print(piece.stdout, "text");
        print(piece.stderr, "err");
      },
      end: ({ exitCode, requests = [], stderr = "", word = "" }) => {
        print(stderr, "err");
        foot.replaceChildren(word || t("exit", { code: exitCode }));
        for (const id of [...new Set(requests)].slice(0, 12)) {
          const link = document.createElement("a");
          link.href = `/clusters/${encodeURIComponent(cluster)}/requests/${id}/`;
          link.textContent = t("took.request", { id });
          foot.append(" ", link);
        }
        if (requests.length > 12) foot.append(` ${t("more", { n: requests.length - 12 })}`);
        scroll();
      },
    };
  }
}
