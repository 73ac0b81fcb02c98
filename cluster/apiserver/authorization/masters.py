"""Members of ``system:masters`` may do everything; no object can take that away.

Upstream: apiserver/pkg/authorization/authorizerfactory ``NewPrivilegedGroups`` (v1.32).
"""

from cluster.apiserver.authorization import Attributes, Decision
from cluster.apiserver.user import MASTERS
from cluster.apiserver.view import View, here

NAME = "system:masters"
ORDER = 0


_SILENT = Decision(False, "", NAME)
SAID = f"Members of the group {MASTERS} may do everything"


def authorize(attributes: Attributes, view: View) -> Decision:
    """Allowed for the group, silent for all others."""
    if MASTERS in attributes.user.groups:
        return Decision(True, "", NAME, here(), (), SAID)
    return _SILENT
