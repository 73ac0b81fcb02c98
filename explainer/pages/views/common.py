"""What every view needs: parameters, read models at the moment shown, a drawn page for what is missing.

Errors: `Missing` becomes a drawn 404, `Lost` a drawn 410 in the frame of the live cluster, `EtcdAlone` a page that
says what this cluster hasn't got, `Unreachable` a page that says so and keeps its frame.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from explainer.fragments.whole import whole
from explainer.pages import context
from explainer.pages.reads import Lost, Missing, Unreachable, read

View = Callable[..., Awaitable[HttpResponse]]


def asked_for(request: HttpRequest, name: str) -> str:
    """Return a query parameter, or an empty text."""
    value = request.GET.get(name)
    return value.strip() if isinstance(value, str) else ""


def sent(request: HttpRequest, name: str) -> str:
    """Return a form field, or an empty text."""
    value = request.POST.get(name)
    return value.strip() if isinstance(value, str) else ""


def number(request: HttpRequest, name: str, otherwise: int, digits: int = 6) -> int:
    """Return a whole number from the address."""
    found = whole(asked_for(request, name), digits)
    return otherwise if found is None else found


def drawn_errors(view: View) -> View:
    """Turn a missing thing into a page that says what is missing."""

    @wraps(view)
    async def inner(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            return await view(request, *args, **kwargs)
        except Lost as error:
            return await lost(request, kwargs.get("cluster", ""), str(error))
        except context.EtcdAlone as alone:
            return render(request, "etcd_alone.html", {"frame": alone.frame})
        except Missing as error:
            frame = context.base(request, "missing")
            data = {"frame": frame, "cluster": kwargs.get("cluster", ""), "said": str(error)}
            return render(request, "missing.html", data, status=404)

    return inner


async def lost(request: HttpRequest, cluster: str, said: str) -> HttpResponse:
    """Draw the page for a moment that can't be shown."""
    try:
        frame = await context.frame(request, cluster, "lost", at="")
    except Missing:
        frame = context.base(request, "lost")
    return render(request, "lost.html", {"frame": frame, "said": said}, status=410)


async def ask(frame: dict[str, Any], view: str, **args: Any) -> Any:
    """Return a read model of the frame's cluster at the moment that the page shows. Raises Unreachable or Missing."""
    return await read(frame["cluster"], view, at=frame["at"], **args)


async def attempt(frame: dict[str, Any], view: str, otherwise: Any, **args: Any) -> Any:
    """Return a read model that a page can do without."""
    try:
        return await ask(frame, view, **args)
    except (Unreachable, Missing):
        return otherwise


def is_fragment(request: HttpRequest) -> bool:
    """Whether htmx asks for a part of the page."""
    return bool(request.META.get("HTTP_HX_REQUEST")) and not request.META.get("HTTP_HX_BOOSTED")
