"""Read models of objects for pages under test, recorded from a whole cluster; ``python -m tests.browser.objects_world`` records them anew.

``QUESTIONS`` are what the pages ask; ``ANSWERS`` what the apiserver says to the documents that tests send.
"""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

DATA = Path(__file__).parent / "data" / "objects.json.gz"
WEB = {"resource": "deployments.apps", "namespace": "default", "name": "web"}
TOKEN = {"resource": "secrets", "namespace": "default", "name": "login"}
GONE = {"resource": "configmaps", "namespace": "default", "name": "gone"}
VIEWS = ("about", "kinds", "mapping", "relations", "revisions", "table", "thing", "touched")


def key(view: str, args: dict[str, Any]) -> str:
    wanted = {name: value for name, value in args.items() if name not in ("limit", "offset", "left", "right", "sort")}
    return json.dumps([view, wanted], sort_keys=True)


def record() -> None:
    """Make the cluster and ask it."""
    from cluster.sim.clock import SECOND
    from tests.cluster.lab.desk import Desk
    from tests.cluster.lab.test_lab import DEPLOYMENTS, SERVICE
    from tests.cluster.lab.test_lab import WEB as DEPLOYMENT

    desk = Desk.boot(workers=2)
    kubectl = (("user-agent", "kubectl/v1.32.0"),)
    assert desk.ask("POST", DEPLOYMENTS + "?fieldManager=kubectl-create", DEPLOYMENT, headers=kubectl)[0] == 201
    assert desk.ask("POST", "/api/v1/namespaces/default/services", SERVICE)[0] == 201
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "login"}, "data": {"password": "aHVudGVyMg=="}}
    assert desk.ask("POST", "/api/v1/namespaces/default/secrets", secret)[0] == 201
    gone = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "gone"}, "data": {"a": "b"}}
    assert desk.ask("POST", "/api/v1/namespaces/default/configmaps", gone)[0] == 201
    assert desk.ask("DELETE", "/api/v1/namespaces/default/configmaps/gone")[0] == 200
    desk.until(lambda: desk.get(f"{DEPLOYMENTS}/web")["status"].get("readyReplicas") == 3)
    desk.lab.run_until(desk.lab.now + 5 * SECOND)
    desk.drain()
    pod = desk.lab.query("table", resource="pods", namespace="default")["rows"][0]["name"]
    questions: list[tuple[str, dict[str, Any]]] = [("kinds", {}), ("mapping", {})]
    questions += [("table", {"resource": one}) for one in ("pods", "deployments.apps", "jobs.batch", "services")]
    questions += [("table", {"resource": "pods", "labels": text}) for text in ("app=web", "app=none", "app in (")]
    for which in (WEB, TOKEN, GONE, {"resource": "pods", "namespace": "default", "name": pod}):
        questions += [(view, which) for view in ("thing", "revisions", "relations", "touched", "about")]
    out: dict[str, Any] = {"pod": pod}
    for view, args in questions:
        try:
            out[key(view, args)] = desk.lab.query(view, **args)
        except KeyError:
            out[key(view, args)] = None
    apply = (("content-type", "application/apply-patch+yaml"), *kubectl)

    def answer(replicas: int, policy: str, force: bool) -> list[Any]:
        spec = DEPLOYMENT["spec"]
        container = {**spec["template"]["spec"]["containers"][0], "imagePullPolicy": policy}
        template = {**spec["template"], "spec": {"containers": [container]}}
        doc = {**DEPLOYMENT, "spec": {**spec, "replicas": replicas, "template": template}}
        query = f"?fieldManager=clearplane-page&dryRun=All{'&force=true' if force else ''}"
        return list(desk.ask("PATCH", f"{DEPLOYMENTS}/web{query}", headers=apply, body=json.dumps(doc).encode()))

    out["conflict"], out["fine"] = answer(6, "Always", False), answer(6, "Always", True)
    out["invalid"] = answer(3, "Sometimes", True)
    DATA.write_bytes(gzip.compress(json.dumps(out).encode(), mtime=0))


_known: dict[str, Any] = {}


def recorded() -> dict[str, Any]:
    if not _known:
        _known.update(json.loads(gzip.decompress(DATA.read_bytes())))
    return _known


def ask(view: str, **args: Any) -> Any:
    """An answer as it was recorded; KeyError for what was not there."""
    if args.get("resource") == "deployment.apps":  # as a document's kind is looked up
        args["resource"] = "deployments.apps"
    found = recorded()[key(view, args)]
    if found is None:
        raise KeyError(args.get("name", view))
    return found


async def submit(
    cluster: str, text: str, how: str, *, force: bool = False, dry_run: bool = False, **_: Any
) -> list[Any]:
    """What the apiserver said to such a text."""
    from explainer.gateway import desk

    doc = desk.read_documents(text)[0]
    at = desk.address(doc, ask("mapping"), "", how)
    name = "invalid" if "Sometimes" in text else "fine" if force or "replicas: 6" not in text else "conflict"
    code, answer = recorded()[name]
    row = {"index": 0, "apiVersion": doc["apiVersion"], "kind": doc["kind"], "name": at.name, "namespace": at.namespace}
    row |= {"resource": at.resource, "method": desk.METHODS[how], "path": at.path, "code": code, "request": 4060}
    row |= {"object": answer if code < 300 else None, "status": answer if code >= 300 else None, "problem": ""}
    return [row]


if __name__ == "__main__":
    record()
