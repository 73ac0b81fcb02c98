"""``kubectl diff``: what would ``kubectl apply`` change? The live object beside what a dry run on the server makes of the file.

Out → unified diffs as the program ``diff -u -N`` prints them; status 0: nothing would change, 1: something would, 2: trouble.

Simplified here: the lines are compared by Python's difflib, whose hunks can differ from GNU diff's where several are equally
short; the times beside the file names are the console's own.
Upstream: kubectl/pkg/cmd/diff.
"""

from datetime import UTC, datetime
from difflib import unified_diff
from typing import Any

from cluster.shell.commands.kubectl import printers
from cluster.shell.commands.kubectl.command import Kubectl, Target
from cluster.shell.commands.kubectl.failures import ApiFailure, Failure, text
from cluster.shell.commands.kubectl.flags import BOOL, FILES, SELECTOR, Flag
from cluster.shell.commands.kubectl.threeway import LAST_APPLIED
from cluster.shell.commands.kubectl.verbs import apply
from cluster.shell.interpreter import Run

NAMES = ("diff",)
FLAGS = {**FILES, **SELECTOR, "server-side": BOOL, "force-conflicts": BOOL, "show-managed-fields": BOOL,
         "concurrency": Flag("int", default=1), "prune": BOOL}  # fmt: skip
MAX_LINES = 20_000
MAX_TRIES = 4

Doc = dict[str, Any]


def run(k: Kubectl) -> Run:
    """A diff for every object of the files."""
    if not k.flags["filename"]:
        raise Failure("must specify one of -f and -k")
    k.flags["dry-run"] = "server"
    different, mark = False, f"{k.ctx.now % 10**10:010d}"
    for target in (yield from k.file_targets()):
        try:
            live, merged = yield from _both(k, target)
        except ApiFailure as error:
            k.err(text(error))
            return 2
        if not k.flags["server-side"]:
            merged = _annotated(merged, live)
        found = _difference(k, target, live, merged, mark)
        k.out(found)
        different = different or bool(found)
    return 1 if different else 0


def _both(k: Kubectl, target: Target) -> Any:
    """The live object and the merged one, both of one revision if that can be had."""
    merge = apply.server_side if k.flags["server-side"] else apply.client_side
    live, merged = None, None
    for _ in range(MAX_TRIES):
        live = yield from _live(k, target)
        merged, _verb = yield from merge(k, target)
        if live is None or live["metadata"]["resourceVersion"] == merged["metadata"].get("resourceVersion"):
            break
    return live, merged


def _live(k: Kubectl, target: Target) -> Any:
    try:
        return (yield from k.client.call("GET", target.path))
    except ApiFailure as error:
        if error.reason != "NotFound":
            raise
        return None


def _annotated(merged: Doc, live: Doc | None) -> Doc:
    """``merged`` with the annotation of the last apply as it is now: its change is not worth showing."""
    annotations = dict(merged["metadata"].get("annotations") or {})
    annotations.pop(LAST_APPLIED, None)
    kept = (((live or {}).get("metadata") or {}).get("annotations") or {}).get(LAST_APPLIED)
    if kept is not None:
        annotations[LAST_APPLIED] = kept
    metadata = {key: value for key, value in merged["metadata"].items() if key != "annotations"}
    if annotations:
        metadata["annotations"] = annotations
    return {**merged, "metadata": metadata}


def _shown(k: Kubectl, doc: Doc | None, other: Doc | None, side: str) -> list[str]:
    if doc is None:
        return []
    if doc.get("kind") == "Secret" and doc.get("data"):
        doc = {**doc, "data": _masked(doc["data"], (other or {}).get("data") or {}, side)}
    return printers.structured(doc, "yaml", k.flags).splitlines(keepends=True)[:MAX_LINES]


def _masked(mine: Doc, theirs: Doc, side: str) -> Doc:
    """A Secret's values are not shown, only whether they change."""
    return {
        key: f"*** ({side})" if key in theirs and theirs[key] != value else "***" for key, value in sorted(mine.items())
    }


def _difference(k: Kubectl, target: Target, live: Doc | None, merged: Doc, mark: str) -> str:
    mapping = target.mapping
    group, _, version = mapping.api_version.rpartition("/")
    name = f"{group + '.' if group else ''}{version}.{mapping.kind}.{target.namespace or ''}.{target.name}"
    old, new = f"/tmp/LIVE-{mark}/{name}", f"/tmp/MERGED-{mark}/{name}"
    moment = datetime.fromtimestamp(k.client.now_unix, UTC)
    when = moment.strftime("%Y-%m-%d %H:%M:%S.%f") + "000 +0000"
    hunks = "".join(
        unified_diff(_shown(k, live, merged, "before"), _shown(k, merged, live, "after"), old, new, when, when, n=3)
    )
    return f"diff -u -N {old} {new}\n{hunks}" if hunks else ""
