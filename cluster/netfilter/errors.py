"""What goes wrong when rule text is read."""


class ParseError(ValueError):
    """The text is not rules. ``line`` counts from 1; 0: no line in particular."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(f"line {line}: {reason}" if line else reason)
        self.line = line
        self.reason = reason
