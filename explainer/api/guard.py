"""Who may call: this host's own pages and scripts, and nobody who was led here by a foreign page.

A browser says where a request comes from (Origin, or Referer, or Sec-Fetch-Site); if it does, that must be the very host
that is asked. The Host itself is checked by Django's ``ALLOWED_HOSTS`` (loopback names unless configured), which is what stops
DNS rebinding. A script sends none of these headers and is let in, as it could do anything on this machine anyway.
A browser that has a session cookie must also send the CSRF token (``X-CSRFToken``) with whatever changes something.
"""

from urllib.parse import urlsplit

from django.conf import settings
from django.http import HttpRequest
from django.middleware.csrf import CsrfViewMiddleware

SAFE = ("GET", "HEAD", "OPTIONS")
_csrf = CsrfViewMiddleware(lambda request: None)  # type: ignore[arg-type, return-value]


def refused(request: HttpRequest) -> str:
    """Why this request is not served; empty when it is."""
    host = request.headers.get("Host", "").lower()
    origin = request.headers.get("Origin", "")
    if origin and urlsplit(origin).netloc.lower() != host:
        return "This call came from a page of another origin."
    referer = request.headers.get("Referer", "")
    if not origin and referer and urlsplit(referer).netloc.lower() != host:
        return "This call came from a page of another origin."
    if request.headers.get("Sec-Fetch-Site", "none") not in ("none", "same-origin"):
        return "This call came from a page of another site."
    if request.method not in SAFE and settings.CSRF_COOKIE_NAME in request.COOKIES:
        _csrf.process_request(request)
        if _csrf.process_view(request, lambda _: None, (), {}) is not None:
            return "The CSRF token is missing or wrong: send the cookie clearplane_csrf in the header X-CSRFToken."
    return ""
