// The editor of an object: numbers, indents, keeps what was typed until the server has taken it, shows the lines that the server names.
// In: the form, the object's place on the page, `hear` for what happens meanwhile, the signal that ends it when another moment is shown.

import { clock, past } from "./feed.js";
import { t } from "./words.js";

const find = (selector, from = document) => from.querySelector(selector);
const all = (selector, from = document) => [...from.querySelectorAll(selector)];

export function editor(form, thing, { hear, signal }) {
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
  document.addEventListener("selectionchange", () => document.activeElement === text && where(), { signal });

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

  if (thing && !past()) {
    hear("object", (event) => {
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
  }, { signal });
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
