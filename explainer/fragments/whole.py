"""Whole numbers as people type them into addresses and forms: ``whole("12", 4)`` is 12, and what is no such number is None.

``str.isdigit`` alone won't do: it is true of ``²``, which ``int`` refuses, and of numbers too long for anything that is asked here.
"""


def whole(text: str, digits: int) -> int | None:
    """Return the number that a text of 1 to ``digits`` ASCII digits says; None for any other text."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= digits else None
