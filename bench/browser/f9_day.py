"""A tab that is open for a simulated day: its heap and its elements stay as they were. The clock runs as fast as the machine can."""

from bench.browser.room import Room, Row, counters, heap, line

HOUR = 3_600_000_000
MB = 1_000_000


def measure(room: Room) -> list[Row]:
    """Hour by hour; with ``--quick`` one hour only."""
    hours = 1 if room.quick else 24
    with room.page("/clusters/demo/") as page:
        session = line(page)
        room.product.api("PATCH", "/clock", {"paused": True})
        room.product.api("POST", "/clock/run", {"micros": HOUR // 60}, timeout=600)
        page.wait_for_timeout(2000)
        before, nodes = heap(session), counters(session)["Nodes"]
        for _ in range(hours):
            room.product.api("POST", "/clock/run", {"micros": HOUR}, timeout=900)
            page.wait_for_timeout(500)
        after, then = heap(session), counters(session)["Nodes"]
        shown = page.locator("[data-now-short]").first.text_content()
    room.product.api("PATCH", "/clock", {"paused": False})
    note = f"{hours} h, page's clock {shown}, DOM nodes {nodes:.0f} → {then:.0f}"
    return [Row("heap growth of a tab over a simulated day", (after - before) / MB, "MB", 2, note=note)]
