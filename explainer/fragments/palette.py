"""The palette as the style sheet has it, and what it promises: contrast on every ground, and colours that stay apart for every eye.

In → ``static/css/tokens.css``. Out → the colour roles of each sheet as ``#RRGGBB``, their WCAG 2 contrast (1 to 21) on the grounds of that
sheet, and the CIE76 distance between two of them as somebody without red, green or blue cones sees them.

Simplified here: Machado, Oliveira and Fernandes' matrices (2009, severity 1.0) are applied to linear RGB, on a display of sRGB primaries;
CIE76 is a straight distance in CIELAB. The figures rank pairs; they do not say what one person sees.
"""

from __future__ import annotations

import re
from functools import cache
from itertools import combinations
from pathlib import Path

TOKENS = Path(__file__).resolve().parents[2] / "static" / "css" / "tokens.css"
SHEETS = {"light": ":root", "dark": ':root[data-theme="dark"]', "screen": ':root[data-theme="screen"]'}
GROUNDS = ("paper", "panel", "sunk", "past")
TEXT = ("ink", "ink2", "ink3", "live", "allow", "deny", "change", "wait", "raft")
STROKES = ("edge", "focus")
KINDS = ("live", "allow", "deny", "change", "raft")
"""The roles that a picture puts side by side."""
MACHADO = {
    "protanopia": ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
    "deuteranopia": ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881)),
    "tritanopia": ((1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602), (0.004733, 0.691367, 0.303900)),
}
TO_XYZ = ((0.4124564, 0.3575761, 0.1804375), (0.2126729, 0.7151522, 0.0721750), (0.0193339, 0.1191920, 0.9503041))
WHITE = (0.95047, 1.0, 1.08883)

Three = tuple[float, float, float]


@cache
def sheets() -> dict[str, dict[str, str]]:
    """Return every sheet's roles: name → ``#RRGGBB``."""
    text = TOKENS.read_text()
    out = {}
    for sheet, selector in SHEETS.items():
        block = re.search(rf"^{re.escape(selector)} \{{(.*?)^\}}", text, re.S | re.M)
        if block is None:
            raise ValueError(f"{TOKENS} has no block {selector}")
        out[sheet] = dict(re.findall(r"--(\w+): (#[0-9A-F]{6});", block.group(1)))
    return out


def linear(colour: str) -> Three:
    """Return the linear red, green and blue (0 to 1) of ``#RRGGBB``."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in parts)
    return red, green, blue


def contrast(one: str, other: str) -> float:
    """Return the contrast of two colours as WCAG 2 counts it."""
    light, dark = sorted((_light(linear(c)) for c in (one, other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _light(colour: Three) -> float:
    return sum(a * b for a, b in zip(TO_XYZ[1], colour, strict=True))


def worst(sheet: str, role: str) -> float:
    """Return a role's contrast on that ground of its sheet where it is least."""
    colours = sheets()[sheet]
    return min(contrast(colours[role], colours[ground]) for ground in GROUNDS)


def nearest(sheet: str, eye: str) -> tuple[float, str, str]:
    """Return the smallest distance between two kinds of thing as `eye` (a key of MACHADO, or "") sees them, and which two."""
    colours = sheets()[sheet]
    seen = {role: lab(_seen(linear(colours[role]), eye)) for role in KINDS}
    return min((distance(seen[a], seen[b]), a, b) for a, b in combinations(KINDS, 2))


def distance(one: Three, other: Three) -> float:
    """Return the CIE76 difference of two CIELAB colours."""
    return sum((a - b) ** 2 for a, b in zip(one, other, strict=True)) ** 0.5


def lab(colour: Three) -> Three:
    """Return a linear RGB colour as CIELAB (white D65)."""
    x, y, z = (_curve(v / w) for v, w in zip(_times(TO_XYZ, colour), WHITE, strict=True))
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


def _curve(v: float) -> float:
    return v ** (1 / 3) if v > 216 / 24389 else (24389 / 27 * v + 16) / 116


def _seen(colour: Three, eye: str) -> Three:
    if not eye:
        return colour
    red, green, blue = (min(max(v, 0.0), 1.0) for v in _times(MACHADO[eye], colour))
    return red, green, blue


def _times(matrix: tuple[Three, ...], vector: Three) -> Three:
    first, second, third = (sum(a * b for a, b in zip(row, vector, strict=True)) for row in matrix)
    return first, second, third
