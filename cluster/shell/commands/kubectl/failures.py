"""How kubectl ends when something is wrong: the texts of ``cmdutil.CheckErr``.

``Failure`` is kubectl's own trouble ("error: …"); ``ApiFailure`` carries the server's Status. ``text(error)`` is what is printed.
"""

from typing import Any

Doc = dict[str, Any]


class Failure(Exception):
    """``error: …`` unless the text is complete by itself (``plain``)."""

    def __init__(self, message: str, *, code: int = 1, plain: bool = False) -> None:
        super().__init__(message)
        self.code = code
        self.plain = plain


class ApiFailure(Exception):
    """The server answered with a failure Status. ``prefix`` says what was being done."""

    def __init__(self, status: Doc, code: int, prefix: str = "") -> None:
        super().__init__(status.get("message", ""))
        self.status = status
        self.code = code
        self.prefix = prefix

    @property
    def reason(self) -> str:
        """The Status' reason."""
        return self.status.get("reason", "")

    @property
    def message(self) -> str:
        """The Status' message."""
        return self.status.get("message", "")


def text(error: Exception) -> str:
    """What kubectl prints for ``error``, with its line end."""
    if isinstance(error, ApiFailure):
        return _api(error)
    message = str(error)
    if isinstance(error, Failure) and error.plain:
        return message if not message or message.endswith("\n") else message + "\n"
    return message + "\n" if message.startswith("error: ") else f"error: {message}\n"


def _api(error: ApiFailure) -> str:
    details = error.status.get("details") or {}
    if error.reason == "Invalid" and not error.prefix:
        if not details.get("kind"):
            return f"The request is invalid: {error.message}\n"
        causes = [_cause(each) for each in details.get("causes") or ()]
        head = f'The {details["kind"]} "{details.get("name", "")}" is invalid'
        if not causes:
            return head + "\n"
        if len(causes) == 1:
            return f"{head}: {causes[0]}\n"
        return f"{head}: \n" + "".join(f"* {each}\n" for each in causes)
    if error.reason == "Unauthorized":
        return f"error: You must be logged in to the server ({error.prefix}{error.message})\n"
    if error.reason:
        return f"Error from server ({error.reason}): {error.prefix}{error.message}\n"
    return f"Error from server: {error.prefix}{error.message}\n"


def _cause(cause: Doc) -> str:
    return f"{cause['field']}: {cause.get('message', '')}" if cause.get("field") else cause.get("message", "")
