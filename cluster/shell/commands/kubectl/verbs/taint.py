"""``kubectl taint node``: add (``key=value:Effect``) and remove (``key-``, ``key:Effect-``) taints."""

from typing import Any

from cluster.shell.commands.kubectl.command import Kubectl, Target, finish
from cluster.shell.commands.kubectl.failures import Failure, text
from cluster.shell.commands.kubectl.flags import BOOL, DRY_RUN, OUTPUT, SELECTOR, VALIDATE
from cluster.shell.interpreter import Run

NAMES = ("taint",)
FLAGS = {**DRY_RUN, **OUTPUT, **SELECTOR, **VALIDATE, "overwrite": BOOL, "all": BOOL}
_EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")
_HINT = "\nSee 'kubectl taint -h' for help and examples"

Doc = dict[str, Any]


def run(k: Kubectl) -> Run:
    """``node/node-1 tainted|untainted|modified``."""
    if not k.args or k.args[0] not in ("node", "nodes", "no"):
        raise Failure(
            "at least one taint update is required"
            if not k.args
            else f"invalid resource type {k.args[0]}, only node(s) is supported" + _HINT
        )
    names = [word for word in k.args[1:] if not _is_taint(word)]
    added, removed = _parse([word for word in k.args[1:] if _is_taint(word)])
    if not added and not removed:
        raise Failure("at least one taint update is required")
    mapping = yield from k.client.mapping("nodes")
    if k.flags["all"] or k.flags["selector"]:
        targets = yield from k.listed(mapping)
    else:
        targets = [Target(mapping, "", name) for name in names]
        for target in targets:
            yield from k.fetch(target)
    status = 0
    for target in targets:
        try:
            yield from _one(k, target, added, removed)
        except Failure as error:
            k.err(text(error))
            status = 1
    return status


def _is_taint(word: str) -> bool:
    return "=" in word or ":" in word or word.endswith("-")


def _parse(words: list[str]) -> tuple[list[Doc], list[tuple[str, str]]]:
    added: list[Doc] = []
    removed: list[tuple[str, str]] = []
    for word in words:
        body = word.removesuffix("-")
        left, colon, effect = body.rpartition(":") if ":" in body else (body, "", "")
        key, _, value = left.partition("=")
        if effect and effect not in _EFFECTS:
            raise Failure(f"invalid taint effect: {effect}, unsupported taint effect{_HINT}")
        if word.endswith("-"):
            removed.append((key, effect))
        elif not colon:
            raise Failure(f"invalid taint spec: {word}{_HINT}")
        else:
            added.append({"effect": effect, "key": key, **({"value": value} if value else {})})
    return added, removed


def _one(k: Kubectl, target: Target, added: list[Doc], removed: list[tuple[str, str]]) -> Run:
    doc = target.doc or {}
    have = (doc.get("spec") or {}).get("taints") or []
    taken = [
        each["key"] for each in added if any((t["key"], t["effect"]) == (each["key"], each["effect"]) for t in have)
    ]
    if taken and not k.flags["overwrite"]:
        raise Failure(
            f"node {target.name} already has {','.join(taken)} taint(s) with same effect(s) and --overwrite is false"
        )
    for key, effect in removed:
        if not any(t["key"] == key and effect in ("", t["effect"]) for t in have):
            shown = f"{key}:{effect}" if effect else key
            raise Failure(f'taint "{shown}" not found')
    new = list(added)
    for taint in have:
        replaced = any((taint["key"], taint["effect"]) == (each["key"], each["effect"]) for each in added)
        dropped = any(taint["key"] == key and effect in ("", taint["effect"]) for key, effect in removed)
        if not replaced and not dropped:
            new.append(taint)
    word = "modified" if added and (removed or taken) else "tainted" if added else "untainted"
    if k.dry_run != "client":
        patch = {"spec": {"taints": new or None}}
        query = [each for each in k.write_query("kubectl-taint") if each[0] != "fieldValidation"]
        doc = yield from k.client.call("PATCH", target.path, query, patch, content="application/merge-patch+json")
    finish(k, target, doc, word)
    return 0
