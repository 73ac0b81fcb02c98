"""``kubectl wait``: until a condition holds, a field has a value, or the object is gone."""

from typing import Any

from cluster.shell.commands.kubectl.command import Kubectl
from cluster.shell.commands.kubectl.failures import ApiFailure, Failure, text
from cluster.shell.commands.kubectl.flags import BOOL, FILES, OUTPUT, SELECTOR, STRING, Flag, duration
from cluster.shell.commands.kubectl.waiting import until
from cluster.shell.interpreter import Run
from cluster.shell.jsonpath import find, go_text, relaxed

NAMES = ("wait",)
FLAGS = {
    **OUTPUT, **FILES, **SELECTOR, "for": STRING, "timeout": Flag(default="30s"), "all": BOOL,
    "all-namespaces": Flag("bool", "A", False), "field-selector": STRING,
}  # fmt: skip

Doc = dict[str, Any]


def run(k: Kubectl) -> Run:
    """``pod/web condition met``."""
    wanted = k.flags["for"]
    kind, _, detail = wanted.partition("=")
    kind = kind.lower()
    if kind not in ("condition", "delete", "create", "jsonpath"):
        raise Failure(f'unrecognized condition: "{wanted}"')
    limit = duration(k.flags["timeout"])
    if limit is None:
        raise Failure(
            f'invalid argument "{k.flags["timeout"]}" for "--timeout" flag: time: invalid duration "{k.flags["timeout"]}"'
        )
    kinds, targets = yield from k.named()
    if k.flags["filename"]:
        targets = yield from k.file_targets()
    for mapping in kinds if not targets else ():
        targets += yield from k.listed(mapping)
    if not targets:
        if kinds:
            raise Failure("no matching resources found")
        raise Failure("You must provide one or more resources by argument or filename.")
    status = 0
    for target in targets:
        try:
            if kind != "create":
                try:
                    yield from k.client.call("GET", target.path)
                except ApiFailure as error:
                    if kind == "delete" and error.reason == "NotFound":
                        continue  # gone already: nothing is said
                    raise
            met = yield from until(k, target, _test(kind, detail), max(limit, 1))
        except ApiFailure as error:
            k.err(text(error))
            status = 1
            continue
        if met:
            k.out(f"{target.shown} condition met\n")
        else:
            k.err(f"error: timed out waiting for the condition on {target.mapping.plural}/{target.name}\n")
            status = 1
    return status


def _test(kind: str, detail: str) -> Any:
    if kind == "delete":
        return lambda doc: doc is None
    if kind == "create":
        return lambda doc: doc is not None
    if kind == "condition":
        name, _, value = detail.partition("=")
        value = value or "true"

        def holds(doc: Doc | None) -> bool:
            for each in ((doc or {}).get("status") or {}).get("conditions") or ():
                if each.get("type", "").lower() == name.lower():
                    return each.get("status", "").lower() == value.lower()
            return False

        return holds
    path, _, value = detail.partition("}=") if "}=" in detail else (detail, "", "")
    where = relaxed(path.strip("'\"") + ("}" if path.startswith("{") and not path.endswith("}") else ""))
    value = value.strip("'\"")

    def has(doc: Doc | None) -> bool:
        found = find(doc or {}, where)
        return bool(found) and (not value or go_text(found[0]) == value)

    return has
