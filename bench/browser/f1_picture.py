"""A meaningful picture: every node of the cluster, drawn by the server. Milliseconds to the first paint, cold, with and without scripts."""

from bench.browser.room import Room, Row, median

PAINT = "() => performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? 1e9"


def measure(room: Room) -> list[Row]:
    """Median of five each."""
    rows = []
    for scripts in (True, False):
        took = []
        for _ in range(3 if room.quick else 5):
            with room.page("/clusters/demo/", ready=False, java_script_enabled=scripts) as page:
                page.locator("[data-map] [data-node]").first.wait_for()
                assert page.locator("[data-map] [data-node]").count() >= 3
                page.wait_for_timeout(300)
                took.append(page.evaluate(PAINT))
        words = "" if scripts else ", without JavaScript"
        rows.append(Row(f"picture of the map painted, cold{words}", median(took), "ms", 700))
    return rows
