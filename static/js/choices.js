// Completion: what the cluster says may stand at the cursor, as a list over the line. One candidate is taken at once; several fill in what they have in
// common and are chosen among with the arrow keys.

import { t } from "./words.js";

export function choices(list, input, ask, tell) {
  return new Choices(list, input, ask, tell);
}

class Choices {
  constructor(list, input, ask, tell) {
    Object.assign(this, { list, input, fetch: ask, tell, words: [], at: -1, start: 0 });
    list.addEventListener("mousedown", (event) => {
      event.preventDefault(); // the line keeps the focus
      const option = event.target.closest("[role=option]");
      if (option) this.take(Number(option.dataset.n));
    });
  }

  get open() {
    return !this.list.hidden;
  }

  async ask() {
    const before = this.input.value.slice(0, this.input.selectionStart);
    let found;
    try {
      found = await this.fetch(before);
    } catch (error) {
      return this.tell(error.message);
    }
    if (this.input.value.slice(0, this.input.selectionStart) !== before) return; // typed on meanwhile
    if (!found.words?.length) return this.tell(t("c.nochoices"));
    this.start = found.start;
    this.words = found.words;
    if (this.words.length === 1) return this.take(0);
    const common = this.words.map((one) => one.word).reduce(prefix);
    if (common.length > before.length - found.start) this.insert(common);
    this.show(found.more);
  }

  show(more) {
    this.list.replaceChildren(
      ...this.words.map((one, n) => {
        const option = document.createElement("li");
        option.id = `choice-${n}`;
        option.dataset.n = n;
        option.setAttribute("role", "option");
        option.setAttribute("aria-selected", "false");
        const note = document.createElement("span");
        note.className = "second";
        note.textContent = one.note;
        option.append(one.word, note);
        return option;
      }),
    );
    this.list.hidden = false;
    this.at = -1;
    this.tell(t("c.choices", { n: this.words.length }) + (more ? ` ${t("c.morechoices", { n: more })}` : ""));
  }

  shut() {
    if (!this.open) return;
    this.list.hidden = true;
    this.list.replaceChildren();
    this.input.removeAttribute("aria-activedescendant");
    this.tell("");
  }

  // Whether the key was for the list.
  key(event) {
    if (!this.open || event.ctrlKey || event.metaKey || event.altKey) return false;
    if (event.key === "ArrowDown" || (event.key === "Tab" && !event.shiftKey)) this.mark(this.at + 1);
    else if (event.key === "ArrowUp" || event.key === "Tab") this.mark(this.at - 1);
    else if (event.key === "Enter" && this.at >= 0) this.take(this.at);
    else if (event.key === "Escape") this.shut();
    else {
      if (event.key === "Enter") this.shut();
      return false;
    }
    return true;
  }

  mark(to) {
    const options = [...this.list.children];
    this.at = (to + options.length) % options.length;
    options.forEach((option, n) => option.setAttribute("aria-selected", String(n === this.at)));
    options[this.at].scrollIntoView({ block: "nearest" });
    this.input.setAttribute("aria-activedescendant", `choice-${this.at}`);
  }

  take(n) {
    const { word, open } = this.words[n];
    this.insert(word + (open || word.endsWith("=") ? (word.endsWith("=") ? "" : "=") : " "));
    this.shut();
    this.tell("");
    this.input.focus();
  }

  insert(text) {
    const after = this.input.value.slice(this.input.selectionStart);
    this.input.value = this.input.value.slice(0, this.start) + text + after;
    const at = this.start + text.length;
    this.input.setSelectionRange(at, at);
  }
}

function prefix(a, b) {
  let n = 0;
  while (n < a.length && a[n] === b[n]) n += 1;
  return a.slice(0, n);
}
