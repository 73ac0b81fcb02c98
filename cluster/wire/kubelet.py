"""The kubelet's own port (10250): what the apiserver asks of it on behalf of ``kubectl logs`` and ``kubectl exec``.

It is HTTP again (``HttpRequest`` to the kubelet's process with paths ``/containerLogs/{ns}/{pod}/{container}`` and
``/exec/{ns}/{pod}/{container}``); the answer streams. Here only the path builders, shared by both sides.
"""


def logs_path(namespace: str, pod: str, container: str) -> str:
    """kubelet server ``/containerLogs`` (pkg/kubelet/server)."""
    return f"/containerLogs/{namespace}/{pod}/{container}"


def exec_path(namespace: str, pod: str, container: str) -> str:
    """kubelet server ``/exec``."""
    return f"/exec/{namespace}/{pod}/{container}"
