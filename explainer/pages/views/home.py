"""The front door, what is remembered of a reader (language, sheet), and the world's sentences for scripts."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.utils import translation
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST

from explainer.fragments import sentences
from explainer.pages import context

from .common import sent

DEMO = "demo"
YEAR_SECONDS = 365 * 24 * 3600


async def home(request: HttpRequest) -> HttpResponse:
    """The default cluster's map."""
    return HttpResponseRedirect(f"/clusters/{DEMO}/")


@require_POST
def prefs(request: HttpRequest) -> HttpResponse:
    """Remember the language or the sheet, then go back."""
    target = sent(request, "next") or "/"
    if not url_has_allowed_host_and_scheme(target, allowed_hosts={request.get_host()}):
        target = "/"
    target = _forget(target, *(("screen", "theme") if sent(request, "theme") else ("lang",)))
    response = HttpResponseRedirect(target)
    language, theme = sent(request, "language"), sent(request, "theme")
    if language and translation.check_for_language(language):
        response.set_cookie(settings.LANGUAGE_COOKIE_NAME, language, max_age=YEAR_SECONDS, samesite="Lax")
    if theme in context.THEMES:
        response.set_cookie("theme", theme, max_age=YEAR_SECONDS, samesite="Lax")
    return response


def _forget(address: str, *names: str) -> str:
    """Return the address without what the reader has just chosen otherwise."""
    parts = urlsplit(address)
    rest = [(name, value) for name, value in parse_qsl(parts.query, keep_blank_values=True) if name not in names]
    return urlunsplit(parts._replace(query=urlencode(rest)))


async def sentences_table(request: HttpRequest) -> HttpResponse:
    """The world's sentences in the reader's language, for scripts that meet them in the feed."""
    response = JsonResponse(sentences.table(), safe=False, json_dumps_params={"ensure_ascii": False})
    response["Cache-Control"] = "private, max-age=300"
    response["Vary"] = "Cookie, Accept-Language"
    return response
