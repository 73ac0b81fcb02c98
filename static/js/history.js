// The lines that were typed: this tab's, by cluster, and behind them those of earlier tabs. Up and Down walk them; a search looks backwards.

const KEEP = 300;

export function history(cluster) {
  return new History(`lines:${cluster}`);
}

class History {
  constructor(key) {
    this.key = key;
    const own = read(sessionStorage, key);
    this.lines = own.length ? own : read(localStorage, key);
    this.at = this.lines.length;
    this.draft = "";
    this.searching = false;
    this.found = null;
  }

  add(line) {
    if (this.lines.at(-1) !== line) this.lines.push(line);
    this.lines.splice(0, this.lines.length - KEEP);
    this.at = this.lines.length;
    this.draft = "";
    write(sessionStorage, this.key, this.lines);
    const shared = read(localStorage, this.key).filter((other) => other !== line);
    write(localStorage, this.key, [...shared, line].slice(-KEEP));
  }

  move(by, typed) {
    if (this.at === this.lines.length) this.draft = typed;
    this.at = Math.min(Math.max(this.at + by, 0), this.lines.length);
    return this.lines[this.at] ?? this.draft;
  }

  search(typed) {
    Object.assign(this, { searching: true, found: null, draft: typed, from: this.lines.length });
  }

  // The newest line with `text`; `further`: the one before that.
  look(text, further) {
    if (!further) this.from = this.lines.length;
    for (let n = this.from - 1; n >= 0 && text; n -= 1) {
      if (!this.lines[n].includes(text) || (further && this.lines[n] === this.found)) continue;
      this.from = n;
      return (this.found = this.lines[n]);
    }
    if (!further) this.found = null;
    return further && this.found ? this.found : null;
  }
}

function read(where, key) {
  try {
    const lines = JSON.parse(where.getItem(key) ?? "[]");
    return Array.isArray(lines) ? lines.filter((line) => typeof line === "string") : [];
  } catch {
    return [];
  }
}

function write(where, key, lines) {
  try {
    where.setItem(key, JSON.stringify(lines));
  } catch {
    // No room, or not allowed: it is forgotten with the page.
  }
}
