"""The life of a container and of a pod as tables, run and drawn from the same data.

In: (state, event) → out: the next state. An event that a state doesn't list changes nothing: late timers are harmless.

Simplified here: creating a container and starting it are one step; a paused or unknown container does not exist.

Upstream: CRI ContainerState; pkg/kubelet/kuberuntime, pkg/kubelet/pod_workers.go.
"""

CONTAINER: dict[tuple[str, str], str] = {
    ("waiting", "pull"): "pulling",
    ("waiting", "create"): "creating",
    ("waiting", "refuse"): "image-backoff",
    ("waiting", "misconfigured"): "config-error",
    ("config-error", "retry"): "waiting",
    ("pulling", "pulled"): "creating",
    ("pulling", "pull-failed"): "image-failed",
    ("image-failed", "back-off"): "image-backoff",
    ("image-failed", "stop"): "exited",
    ("image-backoff", "retry"): "waiting",
    ("image-backoff", "stop"): "exited",
    ("creating", "started"): "running",
    ("creating", "start-failed"): "exited",
    ("running", "exit"): "exited",
    ("running", "stop"): "stopping",
    ("stopping", "exit"): "exited",
    ("stopping", "kill"): "exited",
    ("exited", "restart"): "waiting",
    ("exited", "back-off"): "crash-backoff",
    ("crash-backoff", "retry"): "waiting",
    ("waiting", "stop"): "exited",
    ("pulling", "stop"): "exited",
    ("creating", "stop"): "exited",
    ("config-error", "stop"): "exited",
    ("crash-backoff", "stop"): "exited",
}
"""(container state, event) → next state."""

POD: dict[tuple[str, str], str] = {
    ("new", "admit"): "sandbox",
    ("new", "reject"): "finished",
    ("sandbox", "ready"): "initializing",
    ("initializing", "initialized"): "running",
    ("initializing", "init-failed"): "finished",
    ("running", "completed"): "finished",
    ("new", "delete"): "gone",
    ("sandbox", "delete"): "terminating",
    ("initializing", "delete"): "terminating",
    ("running", "delete"): "terminating",
    ("sandbox", "fail"): "terminating",
    ("initializing", "fail"): "terminating",
    ("running", "fail"): "terminating",
    ("finished", "delete"): "gone",
    ("terminating", "stopped"): "cleanup",
    ("cleanup", "cleaned"): "gone",
    ("terminating", "failed"): "finished",
}
"""(pod state, event) → next state. ``fail`` is a deadline that passed: the pod is stopped but its object stays. In ``cleanup`` nothing runs
any more, but volumes and cgroups are still being removed: only then is the object deleted."""


def advance(table: dict[tuple[str, str], str], state: str, event: str) -> str | None:
    """The next state, or None when ``event`` means nothing in ``state``."""
    return table.get((state, event))
