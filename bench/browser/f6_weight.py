"""What a page weighs when nothing is cached: bytes on the wire, and that all of them come from this host."""

from bench.browser.room import DESKTOP, Room, Row

PAGES = {
    "map": "/clusters/demo/",
    "requests": "/clusters/demo/requests/",
    "trace": "/clusters/demo/requests/{request}/",
    "etcd": "/clusters/demo/etcd/",
    "ha": "/clusters/demo/ha/",
    "network": "/clusters/demo/network/",
    "a node's network": "/clusters/demo/network/?tab=node",
    "lessons": "/lessons/",
    "a lesson": "/lessons/two-of-three/",
    "objects": "/clusters/demo/objects/",
    "style": "/style/",
}


def measure(room: Room) -> list[Row]:
    """Documents, scripts, styles; not the websocket."""
    line = {"session": "weight", "line": "kubectl create configmap weight"}
    room.product.api("POST", "/console", line, timeout=90)  # so that there is a request to look at
    rows = room.product.api("GET", "/requests?verb=create&limit=1")
    newest = (rows["requests"] if isinstance(rows, dict) else rows)[0]["id"]
    out, foreign = [], set()
    for name, path in PAGES.items():
        context = room.browser.new_context(viewport=DESKTOP)  # type: ignore[arg-type]
        page = context.new_page()
        session = context.new_cdp_session(page)
        session.send("Network.enable")
        weights: list[float] = []
        session.on("Network.loadingFinished", lambda event, weights=weights: weights.append(event["encodedDataLength"]))
        page.on("request", lambda request: foreign.add(request.url) if not request.url.startswith(room.url) else None)
        answer = page.goto(room.url + path.format(request=newest))
        page.wait_for_timeout(1500)
        context.close()
        if answer is None or answer.status != 200:
            continue
        out.append(Row(f"weight of {name}, cold", sum(weights) / 1000, "kB", 120 if name == "map" else 150))
    note = ", ".join(sorted(foreign)[:3])
    return [*out, Row("requests to other origins", len(foreign), "", 0, note=note)]
