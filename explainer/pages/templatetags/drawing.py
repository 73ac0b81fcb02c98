"""Filters that templates use to print times, names and JSON."""

from __future__ import annotations

import json
from typing import Any

from django import template
from django.utils.html import format_html
from django.utils.http import urlencode

from explainer.fragments import names, particles, sentences, words

register = template.Library()

register.filter("instant", names.instant)
register.filter("span", names.span)
register.filter("speed", names.speed)
register.filter("cut", names.cut)
register.filter("role_word", words.role)
register.filter("phase_word", words.phase)
register.filter("outcome_word", words.outcome)
register.filter("stage_word", words.stage)
register.filter("cell_word", words.cell)
register.filter("settled", particles.settle)


@register.simple_tag(takes_context=True)
def to(context: dict[str, Any], path: str, /, **parameters: Any) -> str:
    """The address ``path`` with ``parameters`` (empty ones left out), in the moment and on the sheet that the page shows."""
    kept = context["frame"]["kept"] | {name: value for name, value in parameters.items() if value not in (None, "")}
    return f"{path}?{urlencode(kept)}" if kept else path


@register.simple_tag
def stages() -> tuple[str, ...]:
    """Names of all stages of a request, in the real server's order."""
    return tuple(words.STAGES)


@register.simple_tag
def outcome_words() -> list[tuple[str, str]]:
    """Every verdict with its word, for scripts."""
    return [(name, words.outcome(name)) for name in words.OUTCOMES]


@register.filter
def told(text: str) -> str:
    """A sentence of the world in the reader's language; one that only exists in English is marked as English."""
    said = sentences.tell(text or "")
    return format_html("{}" if said.known else '<span lang="en">{}</span>', said.text)


@register.filter
def pretty(value: Any) -> str:
    """JSON with two spaces; text and bytes as they are."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, str):
        return value
    return json.dumps(value, indent=2, ensure_ascii=False)


@register.filter
def named(address: str, names: dict[str, str]) -> str:
    """Whose address it is, or an empty text."""
    return names.get(address, "")
