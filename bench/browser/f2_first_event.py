"""The first real thing that happens after a page is opened is drawn without a click: a named message on its way."""

from bench.browser.room import Room, Row, median

WATCH = """new MutationObserver((_, watcher) => {
  if (!document.querySelector(".flight")) return;
  window.firstEvent = performance.now();
  watcher.disconnect();
}).observe(document, { childList: true, subtree: true });"""


def measure(room: Room) -> list[Row]:
    """Median of five, while nobody outside does anything."""
    took = []
    for _ in range(3 if room.quick else 5):
        with room.page("/clusters/demo/", script=WATCH) as page:
            page.wait_for_function("() => window.firstEvent", timeout=20_000)
            took.append(page.evaluate("window.firstEvent"))
    return [Row("first real event drawn, no click", median(took), "ms", 2000)]
