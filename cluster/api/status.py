"""``metav1.Status``: how a Kubernetes server says yes, and above all no.

In → what happened; out → an ``ApiError`` to raise, whose ``status`` is the document the client gets with ``code``.
The order of the keys is that of the Go struct. Texts are the real server's, word for word.

Simplified here: nothing that a client can see; errors of webhooks and of the aggregator are not made by this server.

Upstream: apimachinery/pkg/api/errors/errors.go; apiserver/pkg/endpoints/handlers/responsewriters.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from cluster.api import field
from cluster.api.field import FieldError

Doc = dict[str, Any]


class ApiError(Exception):
    """Raised anywhere in a server's pipeline; the answer is ``status`` with HTTP ``code``.

    ``plain`` (if not None) is answered as text/plain instead, as for paths that nobody serves.
    """

    def __init__(self, status: Doc, plain: str | None = None) -> None:
        super().__init__(status.get("message", ""))
        self.status = status
        self.plain = plain

    def __reduce__(self) -> tuple[Any, ...]:
        return ApiError, (self.status, self.plain)

    @property
    def code(self) -> int:
        """The HTTP status code."""
        return self.status["code"]

    @property
    def reason(self) -> str:
        """The machine-readable reason, "" when there is none."""
        return self.status.get("reason", "")

    @property
    def message(self) -> str:
        """The sentence for humans."""
        return self.status.get("message", "")

    @property
    def retry_after(self) -> int:
        """Seconds for the Retry-After header; 0 for none."""
        return self.status.get("details", {}).get("retryAfterSeconds", 0)


def failure(code: int, reason: str, message: str, details: Doc | None = None) -> ApiError:
    """An ApiError of these parts; ``details`` None leaves the key out."""
    status: Doc = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": message}
    if not message:
        del status["message"]
    if reason:
        status["reason"] = reason
    if details is not None:
        status["details"] = details
    status["code"] = code
    return ApiError(status)


def success(details: Doc | None = None, code: int | None = None) -> Doc:
    """The Status of a deletion (with ``details``, no code) or of a binding (``code`` 201)."""
    status: Doc = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}
    if details is not None:
        status["details"] = details
    if code is not None:
        status["code"] = code
    return status


def deleted(gr: str, name: str, uid: str) -> Doc:
    """The Status of an object that is gone for good."""
    details = _details(gr, name)
    if uid:
        details["uid"] = uid
    return success(details)


def _details(gr: str, name: str) -> Doc:
    resource, _, group = gr.partition(".")
    details: Doc = {}
    if name:
        details["name"] = name
    if group:
        details["group"] = group
    if resource:
        details["kind"] = resource
    return details


def not_found(gr: str, name: str) -> ApiError:
    """404: no such object. ``gr`` as in ``deployments.apps``."""
    return failure(404, "NotFound", f'{gr} "{name}" not found', _details(gr, name))


def already_exists(gr: str, name: str) -> ApiError:
    """409 on create."""
    return failure(409, "AlreadyExists", f'{gr} "{name}" already exists', _details(gr, name))


OPTIMISTIC_LOCK = "the object has been modified; please apply your changes to the latest version and try again"


def conflict(gr: str, name: str, why: str = OPTIMISTIC_LOCK) -> ApiError:
    """409: the write contradicts what is stored; by default a stale resourceVersion."""
    return failure(409, "Conflict", f'Operation cannot be fulfilled on {gr} "{name}": {why}', _details(gr, name))


def apply_conflict(causes: Sequence[tuple[str, str]], message: str) -> ApiError:
    """409 of server-side apply. ``causes``: (message, field) each."""
    listed = [{"reason": "FieldManagerConflict", "message": text, "field": path} for text, path in causes]
    return failure(409, "Conflict", message, {"causes": listed})


def forbidden(gr: str, name: str, why: str) -> ApiError:
    """403: ``why`` is the rest of the sentence."""
    if not gr and not name:
        return failure(403, "Forbidden", f"forbidden: {why}", {})
    message = f'{gr} "{name}" is forbidden: {why}' if name else f"{gr} is forbidden: {why}"
    return failure(403, "Forbidden", message, _details(gr, name))


def forbidden_path(why: str) -> ApiError:
    """403 for a non-resource path."""
    return failure(403, "Forbidden", f"forbidden: {why}", {})


def invalid(group: str, kind: str, name: str, errors: Sequence[FieldError]) -> ApiError:
    """422: what is wrong with each field."""
    details: Doc = {}
    if name:
        details["name"] = name
    if group:
        details["group"] = group
    if kind:
        details["kind"] = kind
    causes = [{"reason": e.reason, "message": e.message, "field": e.field} for e in errors]
    if causes:
        details["causes"] = causes
    group_kind = f"{kind}.{group}" if group else kind
    what = f": {field.aggregate(errors)}" if errors else ""
    return failure(422, "Invalid", f'{group_kind} "{name}" is invalid{what}', details)


def bad_request(why: str) -> ApiError:
    """400."""
    return failure(400, "BadRequest", why)


def unauthorized(why: str = "Unauthorized") -> ApiError:
    """401."""
    return failure(401, "Unauthorized", why)


def method_not_supported(gr: str, action: str) -> ApiError:
    """405 for a resource whose storage lacks the verb."""
    message = f'{action} is not supported on resources of kind "{gr}"'
    return failure(405, "MethodNotAllowed", message, _details(gr, ""))


def method_not_allowed() -> ApiError:
    """405 for an HTTP method that the path's handler lacks."""
    return failure(405, "MethodNotAllowed", "the server does not allow this method on the requested resource", {})


def not_acceptable(accepted: Iterable[str]) -> ApiError:
    """406 with the media types that would be."""
    names = ", ".join(accepted)
    return failure(406, "NotAcceptable", f"406: Not Acceptable\n\nAvailable representations: {names}", {})


def not_acceptable_media(accepted: Iterable[str]) -> ApiError:
    """406 as negotiated outside of the generic handlers (tables of a kind without them)."""
    message = f"only the following media types are accepted: {', '.join(accepted)}"
    return failure(406, "NotAcceptable", message)


def unsupported_media_type(accepted: Iterable[str], body: bool = True) -> ApiError:
    """415: the body's format. ``body`` False: a patch whose type nobody serves."""
    if not body:
        return failure(415, "UnsupportedMediaType", "415: Unsupported Media Type", {})
    message = f"the body of the request was in an unknown format - accepted media types include: {', '.join(accepted)}"
    return failure(415, "UnsupportedMediaType", message)


def request_entity_too_large(limit: int = 3 * 1024 * 1024) -> ApiError:
    """413: bytes allowed are ``limit``."""
    return failure(413, "RequestEntityTooLarge", f"Request entity too large: limit is {limit}")


def expired(why: str) -> ApiError:
    """410 Expired: a resourceVersion or continue token from before the last compaction."""
    return failure(410, "Expired", why)


def gone(why: str) -> ApiError:
    """410 Gone."""
    return failure(410, "Gone", why)


def timeout(why: str, retry: int = 0) -> ApiError:
    """504 Timeout; ``retry`` in seconds."""
    details: Doc = {"retryAfterSeconds": retry} if retry else {}
    return failure(504, "Timeout", f"Timeout: {why}", details)


def server_timeout(gr: str, operation: str, retry: int = 0) -> ApiError:
    """500 ServerTimeout: the operation could not be finished now."""
    details = _details(gr, operation)
    if retry:
        details["retryAfterSeconds"] = retry
    message = f"The {operation} operation against {gr} could not be completed at this time, please try again."
    return failure(500, "ServerTimeout", message, details)


def too_many_requests(why: str, retry: int = 0, causes: Sequence[tuple[str, str]] = ()) -> ApiError:
    """429; ``causes``: (reason, message) each."""
    details: Doc = {}
    if causes:
        details["causes"] = [{"reason": reason, "message": message} for reason, message in causes]
    if retry:
        details["retryAfterSeconds"] = retry
    return failure(429, "TooManyRequests", why, details)


def internal_error(why: str) -> ApiError:
    """500 InternalError."""
    message = f"Internal error occurred: {why}"
    return failure(500, "InternalError", message, {"causes": [{"message": why}]})


def plain_error(code: int, message: str) -> ApiError:
    """An error the real server never gave a reason: status and code only."""
    return failure(code, "", message)


def service_unavailable(why: str) -> ApiError:
    """503."""
    return failure(503, "ServiceUnavailable", why)


def plain_text(code: int, message: str) -> ApiError:
    """What a filter writes by itself: text, no Status (net/http's ``Error``)."""
    error = failure(code, "", message)
    error.plain = f"{message}\n"
    return error


def page_not_found() -> ApiError:
    """404 in plain text: no handler serves the path."""
    error = failure(404, "NotFound", "404 page not found")
    error.plain = "404 page not found\n"
    return error


def resource_not_served() -> ApiError:
    """404: the group version is served but not this resource."""
    return failure(404, "NotFound", "the server could not find the requested resource", {})


def invalid_patch() -> ApiError:
    """422 of a JSON patch that does not fit the object."""
    return failure(422, "Invalid", "the server rejected our request due to an error in our request", {})


def resource_version_too_large(asked: int, current: int) -> ApiError:
    """504: a read "not older than" a revision that this server has not seen."""
    details = {
        "causes": [{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}],
        "retryAfterSeconds": 1,
    }
    return failure(504, "Timeout", f"Timeout: Too large resource version: {asked}, current: {current}", details)


def generic(code: int, verb: str, gr: str, name: str, message: str = "") -> ApiError:
    """What the server says when a stage answers only an HTTP code (``NewGenericServerResponse``)."""
    reason, text = {
        400: ("BadRequest", "the server rejected our request for an unknown reason"),
        401: ("Unauthorized", "the server has asked for the client to provide credentials"),
        403: ("Forbidden", "the server does not allow access to the requested resource"),
        404: ("NotFound", "the server could not find the requested resource"),
        405: ("MethodNotAllowed", "the server does not allow this method on the requested resource"),
        406: ("NotAcceptable", "the server was unable to respond with a content type that the client supports"),
        409: ("Conflict", "the server reported a conflict"),
        410: ("Gone", "the server says the resource is gone"),
        415: ("UnsupportedMediaType", "the server was unable to respond with a content type that the client supports"),
        422: ("Invalid", "the server rejected our request due to an error in our request"),
        429: (
            "TooManyRequests",
            "the server has received too many requests and has asked us to try again later",
        ),
        503: ("ServiceUnavailable", "the server is currently unable to handle the request"),
        504: (
            "Timeout",
            "the server was unable to return a response in the time allotted, but may still be processing",
        ),
    }.get(code, ("InternalError" if code >= 500 else "Unknown", "unknown"))
    text = message or text
    if gr and name:
        text = f"{text} ({verb.lower()} {gr} {name})"
    elif gr:
        text = f"{text} ({verb.lower()} {gr})"
    return failure(code, reason, text, _details(gr, name))
