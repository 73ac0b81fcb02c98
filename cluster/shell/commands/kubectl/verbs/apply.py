"""``kubectl apply``: make the cluster look like the file.

Client side: what was applied last is remembered in an annotation; a three-way comparison of that, the file and the live
object gives a patch that leaves alone what others have set. ``--server-side``: the server compares by field owners.

Simplified here: no ``--prune``; the patch is sent once (no retries on conflict).
Upstream: kubectl/pkg/cmd/apply.
"""

from typing import Any

from cluster.shell.commands.kubectl import printers
from cluster.shell.commands.kubectl.client import JSON
from cluster.shell.commands.kubectl.command import Kubectl, Target
from cluster.shell.commands.kubectl.failures import ApiFailure, Failure, text
from cluster.shell.commands.kubectl.flags import BOOL, DRY_RUN, FILES, OUTPUT, SELECTOR, VALIDATE, Flag
from cluster.shell.commands.kubectl.threeway import (
    LAST_APPLIED,
    merge_patch_of,
    original_of,
    strategic_patch_of,
    with_last_applied,
)
from cluster.shell.goyaml import dump
from cluster.shell.interpreter import Run

NAMES = ("apply",)
FLAGS = {
    **DRY_RUN,
    **OUTPUT,
    **FILES,
    **SELECTOR,
    **VALIDATE,
    "server-side": BOOL,
    "force-conflicts": BOOL,
    "force": BOOL,
    "overwrite": Flag("bool", default=True),
    "wait": BOOL,
    "prune": BOOL,
    "all": BOOL,
    "timeout": Flag(default="0s"),
}

Doc = dict[str, Any]


def run(k: Kubectl) -> Run:
    """``deployment.apps/web created|configured|unchanged|serverside-applied``."""
    if not k.flags["filename"]:
        if k.flags["kustomize"]:
            k.read_files()
        raise Failure("must specify one of -f and -k")
    if k.flags["prune"]:
        raise Failure("--prune is not supported in this console")
    status = 0
    for target in (yield from k.file_targets()):
        try:
            if k.flags["server-side"]:
                doc, verb = yield from server_side(k, target)
            else:
                doc, verb = yield from client_side(k, target)
        except ApiFailure as error:
            if k.flags["server-side"] and error.code == 409:
                k.err(_conflicts(error))
            else:
                k.err(text(error))
            status = 1
            continue
        if k.flags["output"]:
            k.out(printers.structured(doc, k.flags["output"], k.flags))
        else:
            k.out(f"{target.shown} {verb}{k.dry_suffix}\n")
    return status


def server_side(k: Kubectl, target: Target) -> Any:
    """(the object, what was done) by field owners."""
    if k.dry_run == "client":
        raise Failure("--dry-run=client doesn't work with --server-side (did you mean --dry-run=server instead?)")
    query = k.write_query("kubectl")
    query.append(("force", "true" if k.flags["force-conflicts"] else "false"))
    doc = target.doc or {}
    body = dump(_placed(doc, target)).encode()
    made = yield from k.client.call(
        "PATCH", target.path, query, None, content="application/apply-patch+yaml", body=body
    )
    return made, "serverside-applied"


def _placed(doc: Doc, target: Target) -> Doc:
    if not target.namespace:
        return doc
    return {**doc, "metadata": {**doc["metadata"], "namespace": target.namespace}}


def _conflicts(error: ApiFailure) -> str:
    lines = error.message
    return (
        f"error: {lines}\n"
        "Please review the fields above--they currently have other managers. Here\n"
        "are the ways you can resolve this warning:\n"
        "* If you intend to manage all of these fields, please re-run the apply\n"
        "  command with the `--force-conflicts` flag.\n"
        "* If you do not intend to manage all of the fields, please edit your\n"
        "  manifest to remove references to the fields that should keep their\n"
        "  current managers.\n"
        "* You may co-own fields by updating your manifest to match the existing\n"
        "  value; in this case, you'll become the manager if the other manager(s)\n"
        "  stop managing the field (remove it from their configuration).\n"
        "See https://kubernetes.io/docs/reference/using-api/server-side-apply/#conflicts\n"
    )


def client_side(k: Kubectl, target: Target) -> Any:
    """(the object, what was done) by the three-way comparison."""
    doc = _placed(target.doc or {}, target)
    modified = with_last_applied(doc)
    if not target.name:
        raise Failure("error when retrieving current configuration: resource name may not be empty")
    try:
        live = yield from k.client.call("GET", target.path)
    except ApiFailure as error:
        if error.reason != "NotFound":
            raise
        if k.dry_run == "client":
            return modified, "created"
        where = target.mapping.path(target.namespace)
        prefix = f'error when creating "{target.source}": '
        made = yield from k.client.call(
            "POST", where, k.write_query("kubectl-client-side-apply"), modified, prefix=prefix
        )
        return made, "created"
    original = original_of(live)
    annotations = live["metadata"].get("annotations") or {}
    if LAST_APPLIED not in annotations:
        k.err(
            f"Warning: resource {target.mapping.plural}/{target.name} is missing the {LAST_APPLIED} annotation which is required "
            "by kubectl apply. kubectl apply should only be used on resources created declaratively by either kubectl create "
            "--save-config or kubectl apply. The missing annotation will be patched automatically.\n"
        )
    patch, content = (
        strategic_patch_of(target.mapping, original, modified, live),
        "application/strategic-merge-patch+json",
    )
    if patch is None:
        patch, content = merge_patch_of(original, modified, live), "application/merge-patch+json"
    if not patch:
        return live, "unchanged"
    if k.dry_run == "client":
        return live, "configured"
    made = yield from k.client.call(
        "PATCH", target.path, k.write_query("kubectl-client-side-apply"), patch, accept=JSON, content=content
    )
    same = made["metadata"].get("resourceVersion") == live["metadata"].get("resourceVersion")
    return made, "unchanged" if same and k.dry_run == "none" else "configured"
