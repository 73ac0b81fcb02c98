// The dock's door. The console's script is loaded when somebody opens it; whether it is open, and how high, is remembered in a cookie, so that
// the next page is drawn with it. The key ` opens it from anywhere, and shuts it from its own empty line.

export const LEAST = 4;
export const MOST = 40;

let row, dock, asked = false;

export function start(part) {
  row = part;
  dock = row.querySelector("[data-console]");
  dock.querySelector("summary").addEventListener("click", () => (asked = true));
  dock.addEventListener("toggle", async () => {
    remember();
    if (!dock.open) return;
    const console_ = await load();
    if (asked) console_.input.focus();
    asked = false;
  });
  dock.querySelector("[data-console-form]").addEventListener("submit", async (event) => {
    event.preventDefault();
    (await load()).run();
  });
  // Who is faster than the script: Enter runs the line as soon as there is something to run it.
  dock.querySelector("#line").addEventListener("keydown", (event) => {
    if (loaded || event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    dock.querySelector("[data-console-form]").requestSubmit();
  });
  document.addEventListener("click", async (event) => {
    const typed = event.target.closest?.("[data-type]");
    if (typed) (await open()).type(typed.dataset.type);
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "`" || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    const line = dock.querySelector("#line");
    if (event.target === line ? line.value : event.target.closest("input, select, textarea, [contenteditable], dialog")) return;
    event.preventDefault();
    if (event.target === line) {
      dock.open = false;
      dock.querySelector("summary").focus();
    } else open().then((console_) => console_.input.focus());
  });
  if (dock.open) load();
}

let loaded = false;

async function load() {
  const console_ = (await import("./console.js")).start(dock);
  loaded = true;
  return console_;
}

// The console, open, whether or not somebody has opened it before.
export async function open() {
  dock.open = true;
  return load();
}

export const lines = () => Number(getComputedStyle(row).getPropertyValue("--lines"));

export function resize(to) {
  const even = Math.min(Math.max(Math.round(to / 2) * 2, LEAST), MOST);
  row.dataset.dock = `${dock.open ? "open" : "shut"}.r${even}`;
  remember();
  return even;
}

// Whoever has not chosen a height keeps the one that suits the window.
function remember() {
  row.dataset.dock = `${dock.open ? "open" : "shut"}${/\.r\d+$/.exec(row.dataset.dock)?.[0] ?? ""}`;
  document.cookie = `dock=${row.dataset.dock}; path=/; max-age=31536000; samesite=lax`;
}
