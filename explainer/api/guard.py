"""Who may call: this host's own pages and scripts, and nobody who was led here by a foreign page.

Where a browser's request comes from is judged by ``explainer.origin``; the Host that is asked by Django's ``ALLOWED_HOSTS`` (loopback
names unless configured). A browser that has a session cookie must also send the CSRF token (``X-CSRFToken``) with whatever changes something.
"""

from django.conf import settings
from django.http import HttpRequest
from django.middleware.csrf import CsrfViewMiddleware

from explainer.origin import foreign_site

SAFE = ("GET", "HEAD", "OPTIONS")
_csrf = CsrfViewMiddleware(lambda request: None)  # type: ignore[arg-type, return-value]


def refused(request: HttpRequest) -> str:
    """Why this request is not served; empty when it is."""
    foreign = foreign_site(request.headers)
    if foreign:
        return foreign
    if request.method not in SAFE and settings.CSRF_COOKIE_NAME in request.COOKIES:
        _csrf.process_request(request)
        if _csrf.process_view(request, lambda _: None, (), {}) is not None:
            return "The CSRF token is missing or wrong: send the cookie clearplane_csrf in the header X-CSRFToken."
    return ""
