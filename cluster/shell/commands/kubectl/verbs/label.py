"""``kubectl label`` and ``kubectl annotate``: set (``key=value``) and remove (``key-``)."""

import re
from typing import Any

from cluster.shell.commands.kubectl import printers
from cluster.shell.commands.kubectl.command import Kubectl, Target
from cluster.shell.commands.kubectl.failures import Failure, text
from cluster.shell.commands.kubectl.flags import BOOL, DRY_RUN, FILES, OUTPUT, SELECTOR, STRING, Flag
from cluster.shell.interpreter import Run

NAMES = ("label", "annotate")
FLAGS = {
    **DRY_RUN,
    **OUTPUT,
    **FILES,
    **SELECTOR,
    "overwrite": BOOL,
    "all": BOOL,
    "all-namespaces": Flag("bool", "A", False),
    "field-selector": STRING,
    "list": BOOL,
    "resource-version": STRING,
    "local": BOOL,
}

Doc = dict[str, Any]
_VALUE = re.compile(r"(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?")
_VALUE_TEXT = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with "
    "an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is "
    "'(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
)


def run(k: Kubectl) -> Run:
    """``pod/web labeled``, ``unlabeled``, ``not labeled``."""
    label = k.trail.endswith("label")
    field, done = ("labels", "labeled") if label else ("annotations", "annotated")
    words = [word for word in k.args if "=" not in word and not word.endswith("-")]
    changes = [word for word in k.args if "=" in word or word.endswith("-")]
    new: dict[str, str] = {}
    removed: list[str] = []
    for word in changes:
        key, equals, value = word.partition("=")
        if not equals:
            removed.append(word[:-1])
            continue
        if label and (not _VALUE.fullmatch(value) or len(value) > 63):
            raise Failure(f'invalid label value: "{word}": {_VALUE_TEXT}')
        if key in new:
            raise Failure(f"duplicate {field[:-1]} key: {key}")
        new[key] = value
    if set(new) & set(removed):
        raise Failure(f"can not both modify and remove a {field[:-1]} in the same command")
    k.args = words
    if not words and not k.flags["filename"]:
        raise Failure("one or more resources must be specified as <resource> <name> or <resource>/<name>")
    if not new and not removed and not k.flags["list"]:
        raise Failure(f"at least one {field[:-1]} update is required")
    if (
        len(words) == 1
        and "/" not in words[0]
        and not (k.flags["all"] or k.flags["selector"] or k.flags["field-selector"])
    ):
        raise Failure("resource(s) were provided, but no name was specified")
    status = 0
    for target in (yield from k.objects()):
        try:
            yield from _one(k, target, field, done, new, removed)
        except Failure as error:
            k.err(text(error))
            status = 1
    return status


def _one(k: Kubectl, target: Target, field: str, done: str, new: dict[str, str], removed: list[str]) -> Run:
    doc = target.doc or {}
    have = doc["metadata"].get(field) or {}
    if k.flags["list"]:
        k.out("".join(f"{key}={have[key]}\n" for key in sorted(have)))
        return 0
    if not k.flags["overwrite"]:
        taken = [key for key in new if key in have and have[key] != new[key]]
        if taken and field == "labels":
            raise Failure(
                "; ".join(f"'{key}' already has a value ({have[key]}), and --overwrite is false" for key in taken)
            )
        if taken:
            raise Failure(
                "--overwrite is false but found the following declared annotation(s): "
                + "; ".join(f"'{key}' already has a value ({have[key]})" for key in taken)
            )
    for key in removed:
        if key not in have and field == "labels":
            k.err(f'label "{key}" not found.\n')
    changed = {key: value for key, value in new.items() if have.get(key) != value}
    dropped = [key for key in removed if key in have]
    word = done
    if field == "labels":
        word = "labeled" if changed else "unlabeled" if dropped else "not labeled"
    if (changed or dropped) and k.dry_run != "client":
        patch: Doc = {"metadata": {field: {**new, **dict.fromkeys(dropped)}}}
        manager = "kubectl-label" if field == "labels" else "kubectl-annotate"
        doc = yield from k.client.call(
            "PATCH", target.path, k.write_query(manager), patch, content="application/merge-patch+json"
        )
    if k.flags["output"]:
        k.out(printers.structured(doc, k.flags["output"], k.flags))
    else:
        k.out(f"{target.shown} {word}{k.dry_suffix}\n")
    return 0
