"""Korean particles after a name that is only known when the sentence is said.

In → out: ``m2이(가) 항목 7을(를)`` in, ``m2가 항목 7을`` out. A syllable or a figure tells whether it ends in a consonant; after a Latin
letter nobody can know how the name is read, so both forms stay. static/js/words.js does the same.
"""

from __future__ import annotations

import re

PARTICLE = re.compile(r"([0-9가-힣])([\"')]?)(이\(가\)|은\(는\)|을\(를\)|\(으\)로)")
FORMS = {"이(가)": ("이", "가"), "은(는)": ("은", "는"), "을(를)": ("을", "를"), "(으)로": ("으로", "로")}
FIGURES = {"0": 21, "1": 8, "2": 0, "3": 16, "4": 0, "5": 0, "6": 1, "7": 8, "8": 8, "9": 0}
"""Figures → the final consonant of their names (영 일 이 삼 사 오 육 칠 팔 구), as Unicode counts finals."""
RIEUL = 8


def settle(text: str) -> str:
    """Return `text` with every particle whose form is certain in that form."""
    return PARTICLE.sub(_choose, text)


def _choose(found: re.Match[str]) -> str:
    letter, quote, both = found.groups()
    final = FIGURES[letter] if letter in FIGURES else (ord(letter) - 0xAC00) % 28
    consonant, vowel = FORMS[both]
    closed = bool(final) and not (both == "(으)로" and final == RIEUL)
    return letter + quote + (consonant if closed else vowel)
