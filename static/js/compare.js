// Two traces: arrows and a presentation clicker go from difference to difference.

export function start() {
  const rows = [...document.querySelectorAll(".pair .pair-steps .differs")];
  let at = rows.findIndex((row) => row.classList.contains("first")) - 1;
  const KEYS = { ArrowRight: 1, PageDown: 1, ArrowLeft: -1, PageUp: -1 };
  document.addEventListener("keydown", (event) => {
    const way = KEYS[event.key];
    if (!way || !rows.length || event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, select, textarea, .console, .tape")) return;
    event.preventDefault();
    at = Math.min(Math.max(at + way, 0), rows.length - 1);
    rows[at].scrollIntoView({ block: "center" });
    rows[at].querySelector("a")?.focus({ preventScroll: true });
  });
}
