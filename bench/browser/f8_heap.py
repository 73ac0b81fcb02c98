"""JavaScript's heap after a minute, and how much it grows in four more at five events a second."""

from bench.browser.room import Room, Row, counters, heap, line

MB = 1_000_000


def measure(room: Room) -> list[Row]:
    """With ``--quick`` a minute is ten seconds: then only a leak of every event shows."""
    minute = 10_000 if room.quick else 60_000
    with room.page("/clusters/demo/") as page, room.traffic(5):
        session = line(page)
        page.wait_for_timeout(minute)
        first = heap(session)
        page.wait_for_timeout(4 * minute)
        last = heap(session)
        nodes = counters(session)["Nodes"]
    note = "minutes of ten seconds" if room.quick else ""
    return [
        Row("heap after a minute", first / MB, "MB", 20, note=note),
        Row("its growth in four more, 5 events a second", (last - first) / MB, "MB", 2, note=f"{nodes:.0f} DOM nodes"),
    ]
