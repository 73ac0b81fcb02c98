"""What the browser console says to the shell inside the world, and what it hears back.

In → ``ConsoleLine`` (one line as typed, or several with a here-document) and ``ConsoleInterrupt`` (Ctrl-C), per session.
Out, to the sender → ``ConsoleOutput`` pieces in order, then exactly one ``ConsoleDone`` for each line.
"""

from msgspec import Struct


class ConsoleLine(Struct, frozen=True, tag=True):
    """``id`` is the sender's; ``session`` names the terminal (its variables, files and history)."""

    id: int
    session: str
    line: str


class ConsoleInterrupt(Struct, frozen=True, tag=True):
    """Ctrl-C in ``session``: what runs there ends with 130."""

    session: str


class ConsoleOutput(Struct, frozen=True, tag=True):
    """More output of line ``id``. ``requests``: ids of the HTTP requests it has made so far."""

    id: int
    session: str
    stdout: str = ""
    stderr: str = ""
    requests: tuple[int, ...] = ()


class ConsoleDone(Struct, frozen=True, tag=True):
    """Line ``id`` has ended. ``more``: it was incomplete (an open quote or here-document); the next line continues it."""

    id: int
    session: str
    exit_code: int
    requests: tuple[int, ...] = ()
    more: bool = False
    clear: bool = False
    """The screen is to be emptied (``clear``)."""
    started: int = -1
    """Virtual ns at which the line began; -1: it did not run."""
