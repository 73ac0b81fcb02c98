"""The console's Tab as a read model: what may stand at the cursor of a line, from what etcd holds and what the terminal has.

In → a line up to the cursor and the console's session; out → ``{"start", "words": [{"word", "note", "open"}], "more"}``. Nothing of the world changes:
a session that does not exist is not begun.
"""

from collections.abc import Iterable
from typing import Any

import msgspec
import yaml

from cluster.api import scheme
from cluster.shell.completion import Kind, Known, complete
from cluster.shell.session import HOME, KUBECONFIG
from cluster.snapshot.scene import Scene

MAX_LINE = 4000


def completion(scene: Scene, line: str, session: str = "") -> dict[str, Any]:
    """See the module. ValueError for a line that is too long."""
    if len(line) > MAX_LINE:
        raise ValueError(f"a line of more than {MAX_LINE} characters is not completed")
    terminal = _terminal(scene, session)
    namespace, contexts = _contexts(terminal)
    known = Known(
        _kinds(scene),
        lambda plural, where: _names(scene, plural, where),
        namespace,
        _files(terminal),
        _variables(terminal),
        contexts,
    )
    return msgspec.to_builtins(complete(line, known))


def _terminal(scene: Scene, session: str) -> Any:
    for actor in scene.world.actors.values():
        if actor.kind == "shell":
            state = actor.state.sessions.get(session)
            return state.session if state is not None else None
    return None


def _kinds(scene: Scene) -> tuple[Kind, ...]:
    rows: dict[str, Kind] = {}
    for each in scheme.builtin().resources():
        if "list" in each.verbs:
            rows.setdefault(each.plural, Kind(each.plural, each.kind, each.short_names, each.singular, each.namespaced))
    for doc in scene.objects.get("customresourcedefinitions").values():
        spec = doc.get("spec") or {}
        names = spec.get("names") or {}
        plural = str(names.get("plural") or "")
        short = tuple(map(str, names.get("shortNames") or ()))
        rows.setdefault(
            plural,
            Kind(
                plural,
                str(names.get("kind") or ""),
                short,
                str(names.get("singular") or ""),
                spec.get("scope") != "Cluster",
            ),
        )
    return tuple(rows.values())


def _names(scene: Scene, plural: str, namespace: str) -> Iterable[str]:
    prefix = f"{namespace}/" if namespace else ""
    return {key.rpartition("/")[2]: None for key in scene.objects.get(plural) if key.startswith(prefix)}


def _files(terminal: Any) -> tuple[str, ...]:
    if terminal is None:
        return ()
    return tuple(sorted(name.removeprefix(f"{HOME}/") for name in terminal.files))


def _variables(terminal: Any) -> tuple[str, ...]:
    return tuple(terminal.env) if terminal is not None else ()


def _contexts(terminal: Any) -> tuple[str, tuple[str, ...]]:
    """The namespace of the current context, and all contexts' names."""
    if terminal is None:
        return "default", ()
    try:
        doc = yaml.safe_load(terminal.files.get(terminal.env.get("KUBECONFIG") or KUBECONFIG, ""))
    except yaml.YAMLError:
        doc = None
    if not isinstance(doc, dict):
        return "default", ()
    contexts = {
        str(each.get("name")): each.get("context") or {} for each in doc.get("contexts") or () if isinstance(each, dict)
    }
    current = contexts.get(str(doc.get("current-context"))) or {}
    return str(current.get("namespace") or "default"), tuple(sorted(contexts))
