"""``kubectl replace``: PUT a whole object in place of the one that is there."""

from cluster.shell.commands.kubectl.command import Kubectl, finish
from cluster.shell.commands.kubectl.failures import ApiFailure, Failure, text
from cluster.shell.commands.kubectl.flags import BOOL, DRY_RUN, FILES, OUTPUT, VALIDATE, Flag
from cluster.shell.commands.kubectl.waiting import gone
from cluster.shell.interpreter import Run

NAMES = ("replace",)
FLAGS = {
    **DRY_RUN,
    **OUTPUT,
    **FILES,
    **VALIDATE,
    "force": BOOL,
    "grace-period": Flag("int", default=-1),
    "save-config": BOOL,
}


def run(k: Kubectl) -> Run:
    """``configmap/x replaced``."""
    if not k.flags["filename"]:
        raise Failure("must specify --filename to replace\nSee 'kubectl replace -h' for help and examples")
    status = 0
    for target in (yield from k.file_targets()):
        doc = target.doc or {}
        prefix = f'error when replacing "{target.source}": '
        try:
            if k.flags["force"]:
                try:
                    yield from k.client.call("DELETE", target.path, doc={"gracePeriodSeconds": 0})
                    k.out(f'{target.mapping.shown} "{target.name}" deleted\n')
                    yield from gone(k, target, "", 0)
                except ApiFailure as error:
                    if error.reason != "NotFound":
                        raise
                where = target.mapping.path(target.namespace)
                doc = yield from k.client.call("POST", where, k.write_query("kubectl-replace"), doc, prefix=prefix)
            elif k.dry_run != "client":
                doc = yield from k.client.call("PUT", target.path, k.write_query("kubectl-replace"), doc, prefix=prefix)
            finish(k, target, doc, "replaced")
        except ApiFailure as error:
            k.err(text(error))
            status = 1
    return status
