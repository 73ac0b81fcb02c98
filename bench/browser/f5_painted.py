"""A request was answered: until it stands painted in the list of requests. Milliseconds, p95 of sixty; and where they went: until the feed's
frame was there, until the row stood in the document, until it was painted.
"""

import itertools
import json
import time

from bench.browser.room import Room, Row, median, share

WATCH = """window.painted = {}; window.told = {}; window.placed = {};
const instant = () => performance.timeOrigin + performance.now();
const Line = window.WebSocket;
window.WebSocket = class extends Line {
  constructor(...address) {
    super(...address);
    this.addEventListener("message", (message) => {
      for (const [name] of String(message.data).matchAll(/painted-\\d+-\\d+/g)) window.told[name] ??= instant();
    });
  }
};
new MutationObserver((changes) => {
  for (const change of changes) for (const node of change.addedNodes) {
    const found = /painted-\\d+-\\d+/.exec(node.textContent ?? "");
    if (!found || window.placed[found[0]]) continue;
    window.placed[found[0]] = instant();
    requestAnimationFrame(() => setTimeout(() => { window.painted[found[0]] = instant(); }));
  }
}).observe(document, { childList: true, subtree: true });"""


def measure(room: Room) -> list[Row]:
    """A GET of its own name each; the two clocks are one machine's."""
    answered: dict[str, float] = {}
    began = int(time.time())
    with room.page("/clusters/demo/requests/", script=WATCH) as page:
        connection = room.product.tls(certificate=room.pems)
        for i in range(20 if room.quick else 60):
            name = f"painted-{began}-{i}"
            connection.request("GET", f"/api/v1/namespaces/default/configmaps/{name}")
            connection.getresponse().read()
            answered[name] = time.time() * 1000
            page.wait_for_timeout(37)
        page.wait_for_function("n => Object.keys(window.painted).length >= n", arg=len(answered))
        stages = [json.loads(page.evaluate(f"JSON.stringify(window.{one})")) for one in ("told", "placed", "painted")]
        connection.close()
    took = [max(stages[-1][name] - at, 0.0) for name, at in answered.items()]
    parts = []
    for name in answered:
        instants = [answered[name], *(stage[name] for stage in stages)]
        parts.append([after - before for before, after in itertools.pairwise(instants)])
    told, placed, painted = (share([part[i] for part in parts], 0.95) for i in range(3))
    note = f"median {median(took):.0f}; told {told:.0f}, placed {placed:.0f}, painted {painted:.0f} ms (p95 each)"
    return [Row("request answered → painted, p95", share(took, 0.95), "ms", 100, note=note)]
