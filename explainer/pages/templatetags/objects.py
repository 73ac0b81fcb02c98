"""Filters of the Objects pages."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from django import template
from django.utils.translation import gettext as _

register = template.Library()


@register.filter
def object_path(row: dict[str, Any], cluster: str) -> str:
    """The page of the object that a request names; "" when it names none."""
    resource, name = str(row.get("resource") or "").partition("/")[0], row.get("name")
    if not resource or not name:
        return ""
    full = f"{resource}.{row['group']}" if row.get("group") else resource
    return f"/clusters/{cluster}/objects/{full}/{quote(row.get('namespace') or '_', safe='')}/{quote(str(name), safe=':')}/"


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
