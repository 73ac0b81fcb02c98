"""Which page a browser's request comes from, and whether that page is one of ours.

A browser says where a request comes from: ``Origin`` (or ``Referer``), which no page can forge. That must be the very host that is asked,
and a host of ``ALLOWED_HOSTS``: a foreign name that was made to point at this machine (DNS rebinding) is equal to itself, too. A script
sends neither and is let in, as it could do anything on this machine anyway.
"""

from collections.abc import Iterable, Mapping
from urllib.parse import urlsplit

from django.conf import settings
from django.http.request import split_domain_port, validate_host


def names(headers: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """The headers of an ASGI scope by their lower-case names."""
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in headers}


def foreign_page(headers: Mapping[str, str]) -> str:
    """Why a request with these headers is a foreign page's; empty when it isn't."""
    origin = headers.get("origin", "") or headers.get("referer", "")
    if not origin:
        return ""
    place = urlsplit(origin).netloc.lower()
    if place != headers.get("host", "").lower() or not validate_host(
        split_domain_port(place)[0], settings.ALLOWED_HOSTS
    ):
        return "This call came from a page of another origin."
    return ""


def foreign_site(headers: Mapping[str, str]) -> str:
    """The same, and what ``Sec-Fetch-Site`` says: who led the browser here."""
    if headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
        return "This call came from a page of another site."
    return foreign_page(headers)
