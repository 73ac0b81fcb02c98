"""Filters of the Objects pages."""

from __future__ import annotations

from django import template
from django.utils.translation import gettext as _

register = template.Library()


@register.filter
def relation_word(word: str) -> str:
    """The word on an arrow of the owner graph."""
    known = {
        "owns": _("owns"),
        "leads to": _("leads to"),
        "runs on": _("runs on"),
        "acts as": _("acts as"),
        "uses": _("uses"),
        "of class": _("is of class"),
        "bound to": _("is bound to"),
        "granted by": _("is granted by"),
        "grants to": _("grants to"),
        "routes to": _("routes to"),
        "scales": _("scales"),
        "selects": _("selects"),
        "isolates": _("isolates"),
        "token in": _("token in"),
        "pulls with": _("pulls with"),
    }
    return known.get(word, word)
