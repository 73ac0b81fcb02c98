"""Records traces of a headless cluster for the pages under test: ``python -m tests.browser.record_traces`` writes data/traces.json.

70001: a Deployment of two pods, made while a Service selects them, with everything it caused. 70002: jane's list of secrets, refused.
70003: the same, asked by the admin.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from cluster.sim.clock import SECOND
from cluster.wire.http import TlsPeer
from tests.cluster.lab.desk import Desk

OUT = Path(__file__).parent / "data" / "traces.json"
JANE = TlsPeer(common_name="jane", organizations=("dev",))
AGENT = (("user-agent", "kubectl/v1.32.4 (linux/amd64) kubernetes/4cb5f07"),)
LABELS = {"app": "web"}
DEPLOYMENT = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "web"},
    "spec": {
        "replicas": 2,
        "selector": {"matchLabels": LABELS},
        "template": {"metadata": {"labels": LABELS}, "spec": {"containers": [{"name": "nginx", "image": "nginx"}]}},
    },
}
SERVICE = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "web"},
    "spec": {"selector": LABELS, "ports": [{"port": 80}]},
}


def record() -> list[dict[str, Any]]:
    """Play it and return the traces, renumbered."""
    desk = Desk.boot(workers=3, control_planes=1, etcd_members=3)
    desk.ask("POST", "/api/v1/namespaces/default/services", SERVICE, headers=AGENT)
    asked = []
    desk.ask(
        "POST", "/apis/apps/v1/namespaces/default/deployments?fieldManager=kubectl-create", DEPLOYMENT, headers=AGENT
    )
    asked.append(desk.request)
    desk.lab.run_until(desk.lab.now + 8 * SECOND)
    desk.ask("GET", "/api/v1/namespaces/default/secrets?limit=500", peer=JANE, headers=AGENT)
    asked.append(desk.request)
    desk.ask("GET", "/api/v1/namespaces/default/secrets?limit=500", headers=AGENT)
    asked.append(desk.request)
    return [{**desk.lab.query("request", id=number), "id": 70001 + index} for index, number in enumerate(asked)]


if __name__ == "__main__":
    OUT.write_text(json.dumps(record(), indent=1) + "\n")
