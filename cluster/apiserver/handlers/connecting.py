"""exec, attach and port-forward: admission is asked about CONNECT, then the kubelet.

The object that admission sees is ``PodExecOptions`` (``PodAttachOptions``, ``PodPortForwardOptions``), made of the query.

Upstream: apiserver/pkg/endpoints/handlers/rest.go ``ConnectResource`` (v1.32).
"""

from typing import Any
from urllib.parse import parse_qs

from cluster.apiserver import admission, kubelet_proxy, pipeline
from cluster.apiserver.handlers import writing
from cluster.apiserver.job import Job
from cluster.sim import Outbox

_KINDS = {"exec": "PodExecOptions", "attach": "PodAttachOptions", "portforward": "PodPortForwardOptions"}


def connect(server: Any, job: Job, out: Outbox) -> None:
    """GET or POST pods/<name>/exec, attach or portforward."""
    assert job.resource is not None
    info = job.info
    attributes = admission.Attributes(
        "CONNECT", job.resource, info.subresource, info.namespace, info.name, job.user, _options(job)
    )
    pipeline.validate(server, job, out, attributes, writing.context(server, job, out))
    kubelet_proxy.execute(server, job, out)


def _options(job: Job) -> dict[str, Any]:
    options: dict[str, Any] = {"kind": _KINDS[job.info.subresource], "apiVersion": "v1"}
    for name in ("stdin", "stdout", "stderr", "tty"):
        if job.query.get(name) in ("true", "1"):
            options[name] = True
    if job.query.get("container"):
        options["container"] = job.query.get("container")
    if commands := parse_qs(job.request.query).get("command"):
        options["command"] = commands
    return options
