"""Verbs that need what this console doesn't have (an editor, a tunnel, a process): refused by name."""

from cluster.shell.commands.kubectl.command import Kubectl
from cluster.shell.commands.kubectl.failures import Failure
from cluster.shell.commands.kubectl.flags import FILES, OUTPUT
from cluster.shell.interpreter import Run

NAMES = (
    "edit",
    "port-forward",
    "proxy",
    "attach",
    "cp",
    "debug",
    "kustomize",
    "plugin",
    "completion",
    "certificate",
)
FLAGS = {**FILES, **OUTPUT}
_WHY = {
    "edit": "it needs an editor; use 'kubectl patch' or 'kubectl apply -f'",
    "port-forward": "it needs a listening socket; a real kubectl has one",
    "proxy": "it needs a listening socket; use curl",
    "attach": "it needs a terminal, which a real kubectl has; use 'kubectl logs -f'",
    "cp": "containers here have no files",
    "debug": "it needs a terminal",
}


def run(k: Kubectl) -> Run:
    """Always the refusal."""
    verb = k.trail.rsplit(" ", 1)[-1]
    why = _WHY.get(verb)
    yield from ()
    raise Failure(f"kubectl {verb} is not supported in this console" + (f": {why}" if why else ""))
