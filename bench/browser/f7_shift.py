"""Nothing jumps: the layout shift (as browsers count it) while a page comes up and the cluster is busy."""

from bench.browser.room import Room, Row

WATCH = """window.shift = 0; window.shifts = [];
new PerformanceObserver((list) => { for (const one of list.getEntries()) if (!one.hadRecentInput) {
  window.shift += one.value;
  for (const source of one.sources ?? []) window.shifts.push(source.node?.className?.baseVal ?? source.node?.className ?? source.node?.nodeName);
} }).observe({ type: "layout-shift", buffered: true });"""
PAGES = {
    "map": "/clusters/demo/",
    "requests": "/clusters/demo/requests/",
    "etcd": "/clusters/demo/etcd/",
    "ha": "/clusters/demo/ha/",
    "network": "/clusters/demo/network/",
    "a node's network": "/clusters/demo/network/?tab=node",
    "lessons": "/lessons/",
    "a lesson": "/lessons/two-of-three/",
    "map, projector": "/clusters/demo/?screen",
}


def measure(room: Room) -> list[Row]:
    """Eight seconds with five writes a second."""
    rows = []
    with room.traffic(5):
        for name, path in PAGES.items():
            with room.page(path, ready=path.startswith("/clusters/"), script=WATCH) as page:  # else nothing is live
                page.wait_for_timeout(3000 if room.quick else 8000)
                value, what = page.evaluate("[window.shift, [...new Set(window.shifts)].slice(0, 3).join(', ')]")
                rows.append(Row(f"layout shift of {name}", value, "", 0.02, note=what))
    return rows
