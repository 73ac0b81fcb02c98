"""Requests a second through the TLS door."""

import json
from typing import Any

from bench import room
from tests.product import Product

BARS = {"GET Pod, 16 connections, /s": ">= 700", "create ConfigMap, 16 connections, /s": ">= 350"}


def run() -> dict[str, float]:
    rows: dict[str, float] = {}
    with room.folder() as place, room.product(place) as running:
        pems = room.credentials(running, place)
        jobs = (("GET Pod", "get", a_pod(running, pems)),
                ("create ConfigMap", "create", "/api/v1/namespaces/default/configmaps"))  # fmt: skip
        for connections in (1, 16):
            for what, kind, path in jobs:
                got: dict[str, Any] = room.result(room.load(running, kind, path, pems, connections))
                if got["notOk"]:
                    raise RuntimeError(f"{what}: {got['notOk']} answers were not 2xx")
                rows[f"{what}, {connections} connections, /s"] = got["perSecond"]
                rows[f"{what}, {connections} connections, p50 ms"] = got["p50Ms"]
        rows["resident memory after that, MiB"] = room.memory(running)
    return rows


def a_pod(running: Product, pems: room.Pems) -> str:
    """The path of a Pod to read, made now."""
    connection = running.tls(certificate=pems)
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "bench"},
        "spec": {"containers": [{"name": "c", "image": "nginx"}]},
    }
    path = "/api/v1/namespaces/default/pods"
    connection.request("POST", path, json.dumps(pod).encode(), {"Content-Type": "application/json"})
    connection.getresponse().read()
    connection.close()
    return f"{path}/bench"
