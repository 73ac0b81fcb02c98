"""What happens around every page: a strict content policy (nothing inline, nothing from elsewhere) and no framing; the language that
an address names; compression.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.utils.cache import patch_vary_headers
from django.utils.decorators import async_only_middleware
from django.utils.text import compress_string
from django.utils.translation import check_for_language

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'; manifest-src 'self'"
)


@async_only_middleware
def policy(get_response: Callable[[HttpRequest], Awaitable[HttpResponseBase]]) -> Any:
    """Adds the headers to whatever the view answers."""

    async def middleware(request: HttpRequest) -> HttpResponseBase:
        response = await get_response(request)
        response.headers.setdefault("Content-Security-Policy", POLICY)
        response.headers.setdefault("X-Frame-Options", "DENY")
        return response

    return middleware


@async_only_middleware
def language(get_response: Callable[[HttpRequest], Awaitable[HttpResponseBase]]) -> Any:
    """``?lang=ko`` shows this page in Korean, whatever the reader's cookie says, and leaves the cookie alone. Before LocaleMiddleware."""

    async def middleware(request: HttpRequest) -> HttpResponseBase:
        asked = request.GET.get("lang", "")
        if isinstance(asked, str) and asked in dict(settings.LANGUAGES) and check_for_language(asked):
            request.COOKIES[settings.LANGUAGE_COOKIE_NAME] = asked
        return await get_response(request)

    return middleware


SMALL = 400
"""Bytes that are not worth a gzip header."""


@async_only_middleware
def compress(get_response: Callable[[HttpRequest], Awaitable[HttpResponseBase]]) -> Any:
    """Sends documents compressed. Streams are left alone: their pieces must not wait for each other.

    A random length is added, as Django's own GZipMiddleware does, so that sizes tell nothing of secrets (BREACH).
    """

    async def middleware(request: HttpRequest) -> HttpResponseBase:
        response = await get_response(request)
        if (
            not isinstance(response, HttpResponse)
            or len(response.content) < SMALL
            or response.has_header("Content-Encoding")
        ):
            return response
        if not str(response.headers["Content-Type"]).startswith(("text/", "application/json")):
            return response
        patch_vary_headers(response, ("Accept-Encoding",))
        if "gzip" in str(request.META.get("HTTP_ACCEPT_ENCODING", "")):
            response.content = compress_string(response.content, max_random_bytes=100)
            response["Content-Encoding"] = "gzip"
            response["Content-Length"] = str(len(response.content))
        return response

    return middleware
