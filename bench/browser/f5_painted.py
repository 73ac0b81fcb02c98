"""A request was answered: until it stands painted in the list of requests. Milliseconds, p95 of sixty."""

import json
import time

from bench.browser.room import Room, Row, median, share

WATCH = """window.painted = {};
new MutationObserver((changes) => {
  for (const change of changes) for (const node of change.addedNodes) {
    const found = /painted-\\d+/.exec(node.textContent ?? "");
    if (!found || window.painted[found[0]]) continue;
    window.painted[found[0]] = 1;
    requestAnimationFrame(() => setTimeout(() => { window.painted[found[0]] = performance.timeOrigin + performance.now(); }));
  }
}).observe(document, { childList: true, subtree: true });"""


def measure(room: Room) -> list[Row]:
    """A GET of its own name each; the two clocks are one machine's."""
    answered = {}
    with room.page("/clusters/demo/requests/", script=WATCH) as page:
        connection = room.product.tls(certificate=room.pems)
        for i in range(20 if room.quick else 60):
            name = f"painted-{i}"
            connection.request("GET", f"/api/v1/namespaces/default/configmaps/{name}")
            connection.getresponse().read()
            answered[name] = time.time() * 1000
            page.wait_for_timeout(37)
        page.wait_for_function(
            "n => Object.values(window.painted).filter((at) => at > 1).length >= n", arg=len(answered)
        )
        painted = json.loads(page.evaluate("JSON.stringify(window.painted)"))
        connection.close()
    took = [max(painted[name] - at, 0.0) for name, at in answered.items()]
    return [Row("request answered → painted, p95", share(took, 0.95), "ms", 100, note=f"median {median(took):.0f} ms")]
