"""How a control plane stands, in one sentence: what it may still lose, or what it lacks. Made from the model that the picture is drawn from."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from . import particles


def now(ha: dict[str, Any], spare: int | None) -> str:
    """Return the sentence. ``spare``: how many more hosts may fail, whichever they are; None: there is no quorum or no apiserver that has one."""
    quorum, formed = ha["quorum"], ha.get("clusters") or []
    if not ha["hosts"]:
        return ""
    if len(formed) > 1:
        told = _(
            "etcd is %(n)s clusters: what is written to one is not in the other, and an apiserver shows whichever it talks to."
        )
        return particles.settle(told % {"n": len(formed)})
    if quorum["have"] < quorum["need"]:
        values = {"have": quorum["have"], "voters": quorum["voters"], "need": quorum["need"]}
        told = _(
            "No quorum: %(have)s of %(voters)s members hear each other, and %(need)s are needed. Writes wait; what runs goes on running."
        )
        return particles.settle(told % values)
    if spare is None:
        return _("etcd has a quorum, but no apiserver is connected to it: nobody can read or write objects.")
    if not spare:
        return _("Reads and writes are served, but no further host may fail.")
    return ngettext(
        "Reads and writes are served, and any %(n)s more host may fail.",
        "Reads and writes are served, and any %(n)s more hosts may fail.",
        spare,
    ) % {"n": spare}
