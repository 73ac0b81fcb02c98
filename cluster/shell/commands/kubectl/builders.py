"""Objects that kubectl builds from flags, with the empty fields the real one's typed structs print.

Upstream: kubectl/pkg/cmd/{create,run,expose}, kubectl/pkg/generate.
"""

from typing import Any

Doc = dict[str, Any]


def container_name(image: str) -> str:
    """The container's name that ``create deployment`` takes from an image."""
    name = image.rsplit("/", 1)[-1]
    return name.partition("@")[0].partition(":")[0].lower()


def _template(labels: dict[str, str], containers: list[Doc], **more: Any) -> Doc:
    return {"metadata": {"creationTimestamp": None, "labels": labels}, "spec": {"containers": containers, **more}}


def deployment(name: str, image: str, replicas: int, port: int, command: list[str]) -> Doc:
    """``kubectl create deployment``."""
    container: Doc = {"image": image, "name": container_name(image), "resources": {}}
    if port:
        container["ports"] = [{"containerPort": port}]
    if command:
        container["command"] = command
    labels = {"app": name}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"creationTimestamp": None, "labels": labels, "name": name},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "strategy": {},
            "template": _template(labels, [container]),
        },
        "status": {},
    }


def job(name: str, image: str, command: list[str]) -> Doc:
    """``kubectl create job``."""
    container: Doc = {"image": image, "name": name, "resources": {}}
    if command:
        container["command"] = command
    template = {"metadata": {"creationTimestamp": None}, "spec": {"containers": [container], "restartPolicy": "Never"}}
    metadata = {"creationTimestamp": None, "name": name}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": {"template": template}, "status": {}}


def pod(name: str, image: str, labels: dict[str, str], restart: str, container: Doc) -> Doc:
    """``kubectl run``."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"creationTimestamp": None, "labels": labels, "name": name},
        "spec": {
            "containers": [{"image": image, "name": name, "resources": {}, **container}],
            "dnsPolicy": "ClusterFirst",
            "restartPolicy": restart,
        },
        "status": {},
    }
