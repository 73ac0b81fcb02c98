"""``kubectl patch``: a patch as text, strategic by default."""

from typing import Any

import orjson
import yaml

from cluster.shell import yaml_input
from cluster.shell.commands.kubectl import printers
from cluster.shell.commands.kubectl.command import Kubectl
from cluster.shell.commands.kubectl.failures import ApiFailure, Failure
from cluster.shell.commands.kubectl.flags import BOOL, DRY_RUN, FILES, OUTPUT, STRING, Flag
from cluster.shell.interpreter import Run
from cluster.shell.session import FileError

NAMES = ("patch",)
FLAGS = {
    **DRY_RUN, **OUTPUT, **FILES, "patch": Flag(short="p"), "patch-file": STRING, "type": Flag(default="strategic"),
    "subresource": STRING, "local": BOOL,
}  # fmt: skip
_TYPES = {
    "json": "application/json-patch+json",
    "merge": "application/merge-patch+json",
    "strategic": "application/strategic-merge-patch+json",
}


def run(k: Kubectl) -> Run:
    """``deployment.apps/web patched``, or ``patched (no change)``."""
    if k.flags["type"] not in _TYPES:
        raise Failure(f'--type must be one of [json merge strategic], not "{k.flags["type"]}"')
    if bool(k.flags["patch"]) == bool(k.flags["patch-file"]):
        raise Failure("must specify --patch or --patch-file containing the contents of the patch")
    patch = _patch(k)
    if k.flags["filename"]:
        targets = yield from k.file_targets()
    else:
        kinds, targets = yield from k.named()
        if not targets:
            raise Failure(
                "resource(s) were provided, but no name was specified"
                if kinds
                else "You must provide one or more resources by argument or filename."
            )
    for target in targets:
        live = yield from k.client.call("GET", target.path)
        doc = live
        if k.dry_run != "client":
            where = target.mapping.path(target.namespace, target.name, k.flags["subresource"])
            try:
                doc = yield from k.client.call(
                    "PATCH", where, k.write_query("kubectl-patch"), patch, content=_TYPES[k.flags["type"]]
                )
            except ApiFailure as error:
                if error.code == 415 and k.flags["type"] == "strategic":
                    kind = f"{target.mapping.api_version}, Kind={target.mapping.kind}"
                    raise Failure(
                        f"application/strategic-merge-patch+json is not supported by {kind}: {error.message}"
                    ) from None
                raise
        changed = _content(doc) != _content(live)
        if k.flags["output"]:
            k.out(printers.structured(doc, k.flags["output"], k.flags))
        else:
            k.out(f"{target.shown} patched{'' if changed else ' (no change)'}{k.dry_suffix}\n")
    return 0


def _content(doc: dict[str, Any]) -> dict[str, Any]:
    """What a patch can have changed: not the status that controllers write meanwhile, nor the bookkeeping."""
    kept = ("resourceVersion", "managedFields", "generation")
    metadata = {key: value for key, value in doc["metadata"].items() if key not in kept}
    return {**{key: value for key, value in doc.items() if key != "status"}, "metadata": metadata}


def _patch(k: Kubectl) -> Any:
    text = k.flags["patch"]
    if not text:
        try:
            text = k.ctx.files.read(k.flags["patch-file"])
        except FileError as error:
            raise Failure(f"unable to read patch file: {error}") from None
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        try:
            return yaml_input.load(text)
        except yaml.YAMLError as error:
            raise Failure(f'unable to parse "{text}": {error}') from None
