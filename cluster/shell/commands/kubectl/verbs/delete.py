"""``kubectl delete``: by name, file, selector or all; waits until the objects are gone, as the real one does."""

from cluster.shell.commands.kubectl.command import Kubectl, Target
from cluster.shell.commands.kubectl.failures import ApiFailure, Failure, text
from cluster.shell.commands.kubectl.flags import BOOL, FILES, SELECTOR, STRING, TRUE, Flag, duration
from cluster.shell.commands.kubectl.waiting import gone
from cluster.shell.interpreter import Run

NAMES = ("delete",)
FLAGS = {
    **FILES,
    **SELECTOR,
    "all": BOOL,
    "all-namespaces": Flag("bool", "A", False),
    "cascade": Flag(default="background", bare="background"),
    "dry-run": Flag(default="none", bare="unchanged"),
    "field-selector": STRING,
    "force": BOOL,
    "grace-period": Flag("int", default=-1),
    "ignore-not-found": BOOL,
    "now": BOOL,
    "output": Flag(short="o"),
    "raw": STRING,
    "timeout": Flag(default="0s"),
    "wait": TRUE,
    "interactive": Flag("bool", "i", False),
}


def run(k: Kubectl) -> Run:
    """``pod "web" deleted`` for each."""
    grace = k.flags["grace-period"]
    if k.flags["now"]:
        if grace != -1:
            raise Failure("--now and --grace-period cannot be specified together")
        grace = 1
    if grace == 0 and not k.flags["force"]:
        k.flags["wait"], grace = True, 1
    if k.flags["force"]:
        grace = 0 if grace < 0 else grace
        k.err(
            "Warning: Immediate deletion does not wait for confirmation that the running resource has been terminated. The "
            "resource may continue to run on the cluster indefinitely.\n"
        )
    ignore = k.flags["ignore-not-found"]
    if k.flags["filename"]:
        targets = yield from k.file_targets()
    else:
        kinds, targets = yield from k.named()
        if not kinds and not targets:
            raise Failure(
                "You must provide one or more resources by argument or filename.\nExample resource specifications include:\n   '-f rsrc.yaml'\n   '--filename=rsrc.json'\n   '<resource> <name>'\n   '<resource>'"
            )
        if not targets:
            if not (k.flags["all"] or k.flags["selector"] or k.flags["field-selector"]):
                raise Failure("resource(s) were provided, but no name was specified")
            ignore = True
            for mapping in kinds:
                targets += yield from k.listed(mapping)
            if not targets:
                k.out("No resources found\n")
                return 0
    policy = {
        "background": "Background",
        "true": "Background",
        "foreground": "Foreground",
        "orphan": "Orphan",
        "false": "Orphan",
    }
    if k.flags["cascade"] not in policy:
        raise Failure(f'invalid cascade value ({k.flags["cascade"]}). Must be "background", "foreground", or "orphan"')
    options: dict[str, object] = {"propagationPolicy": policy[k.flags["cascade"]]}
    if grace >= 0:
        options["gracePeriodSeconds"] = grace
    if k.dry_run == "server":
        options["dryRun"] = ["All"]
    status = 0
    deleted: list[tuple[Target, str]] = []
    for target in targets:
        try:
            answer = {}
            if k.dry_run != "client":
                answer = yield from k.client.call("DELETE", target.path, doc=options)
            elif not k.flags["filename"]:
                yield from k.client.call("GET", target.path)
        except ApiFailure as error:
            if not (ignore and error.reason == "NotFound"):
                k.err(text(error))
                status = 1
            continue
        metadata = answer.get("metadata") or {}
        uid = metadata.get("uid") or (answer.get("details") or {}).get("uid", "")
        deleted.append((target, uid))
        forced = "force deleted" if k.flags["force"] else "deleted"
        if k.flags["output"] == "name":
            k.out(f"{target.shown}\n")
        else:
            k.out(f'{target.mapping.shown} "{target.name}" {forced}{k.dry_suffix}\n')
    if k.flags["wait"] and k.dry_run == "none":
        limit = duration(k.flags["timeout"]) or 0
        for target, uid in deleted:
            if not (yield from gone(k, target, uid, limit)):
                raise Failure(f"timed out waiting for the condition on {target.mapping.plural}/{target.name}")
    return status
