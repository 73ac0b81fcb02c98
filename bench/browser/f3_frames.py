"""Frames a second with 24 things in flight and 200 pods drawn, and what each costs the main thread."""

from bench.browser.room import Room, Row, frames


def measure(room: Room) -> list[Row]:
    """Six writes a second from outside keep two dozen messages on their way."""
    room.pods(216)  # those of the control plane are not drawn
    with room.page("/clusters/demo/") as page, room.traffic(6):
        page.wait_for_timeout(3000)
        drawn = page.locator("[data-map] [data-uid]").count()
        found = frames(page, 5 if room.quick else 10)
    note = f"{drawn} pods, {found['movers']:.0f} in flight (median), p95 gap {found['p95']:.0f} ms"
    return [
        Row("frames a second, 24 in flight, 200 pods", 1000 / found["median"], "/s", 50, least=True, note=note),
        Row("main thread a frame, the same", found["mainMs"], "ms", 8),
    ]
