"""What every call of the control API has in common: who may, which methods, JSON in, JSON out, one sentence for a trouble.

``@call("GET", "POST")`` wraps an async function ``(request, bus, **path arguments)`` that answers JSON-able data, JSON bytes
or a response; ``Failed`` and ``Unavailable`` become ``{"error": sentence}`` with their status.
"""

import functools
import logging
import re
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import msgspec
from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.views.decorators.csrf import csrf_exempt

from explainer.api.guard import refused
from explainer.fragments.whole import whole
from explainer.runs.bus import Bus, Failed, Unavailable, current

log = logging.getLogger("clearplane.web")

MOMENT = re.compile(r"(?:e?[0-9]{1,18})?")
BODY_LIMIT = 4 * 1024 * 1024
View = Callable[..., Awaitable[Any]]
Body = TypeVar("Body")


def call(*methods: str) -> Callable[[View], Callable[..., Awaitable[HttpResponseBase]]]:
    """Make a view of an API function. See the module."""

    def wrap(function: View) -> Callable[..., Awaitable[HttpResponseBase]]:
        @csrf_exempt  # the guard looks at the token itself: scripts have none
        @functools.wraps(function)
        async def view(request: HttpRequest, **arguments: Any) -> HttpResponseBase:
            problem = refused(request)
            if problem:
                return json({"error": problem}, 403)
            if request.method not in methods:
                response = json({"error": f"This address takes {' and '.join(methods)}, not {request.method}."}, 405)
                response["Allow"] = ", ".join(methods)
                return response
            bus = current()
            try:
                if "cluster" in arguments and request.method != "DELETE":
                    await bus.require(arguments["cluster"])
                answer = await function(request, bus, **arguments)
            except Failed as error:
                return json({"error": sentence(error.error)}, error.status)
            except Unavailable as error:
                return json({"error": sentence(str(error))}, 503)
            except RequestDataTooBig:
                return json({"error": "The body is larger than this call takes."}, 413)
            except OverflowError:  # found where it is written down: no field takes so many digits
                return json({"error": "A number in this call is larger than 64 bits can hold."}, 422)
            return answer if isinstance(answer, HttpResponseBase) else json(answer)

        view.csrf_exempt = True  # type: ignore[attr-defined]
        return view

    return wrap


def json(value: Any, status: int = 200) -> HttpResponse:
    """A JSON response; bytes are JSON already."""
    body = value if isinstance(value, bytes) else msgspec.json.encode(value)
    response = HttpResponse(body, content_type="application/json", status=status)
    response["Cache-Control"] = "no-store"
    return response


def sentence(text: str) -> str:
    """The text with a capital and a full stop."""
    text = text.strip() or "It failed."
    return text[0].upper() + text[1:] + ("" if text.endswith((".", "!", "?")) else ".")


def body_as(request: HttpRequest, kind: type[Body]) -> Body:
    """The request's JSON body as ``kind``. Failed 400 for no JSON, 422 for the wrong one."""
    data = request.body
    if len(data) > BODY_LIMIT:
        raise Failed(400, "the body is larger than 4 MiB")
    try:
        return msgspec.json.decode(data or b"{}", type=kind)
    except msgspec.ValidationError as error:
        raise Failed(422, f"the body is not what this call takes: {error}") from error
    except msgspec.DecodeError as error:
        raise Failed(400, f"the body is not JSON: {error}") from error
    except RecursionError as error:
        raise Failed(400, "the body is nested too deeply") from error


async def ask(request: HttpRequest, bus: Bus, cluster: str, view: str, **args: Any) -> bytes:
    """A read model as JSON bytes: of the live cluster, or of the moment that ``?at=`` names."""
    at = moment(request)
    if at:
        return await bus.query_at_json(cluster, at, view, **args)
    return await bus.query_json(cluster, view, **args)


def moment(request: HttpRequest, name: str = "at") -> str:
    """The moment that a query parameter names; empty: now. Failed 400."""
    at = request.GET.get(name, "")
    if not MOMENT.fullmatch(at):
        raise Failed(400, f"{name} is a number of virtual microseconds, or e and a number of events, not {at[:40]!r}")
    return at


def number(request: HttpRequest, name: str, default: int) -> int:
    """A query parameter as a number. Failed 400."""
    text = request.GET.get(name, "")
    if not text:
        return default
    value = whole(text, 18)
    if value is None:
        raise Failed(400, f"{name} is a whole number of at most 18 digits, not {text[:40]!r}")
    return value
