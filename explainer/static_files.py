"""Static files by WhiteNoise's engine, as raw ASGI: no thread and no middleware between a browser and a file.

Every file is revalidated by its ETag (names carry no hash, and a new version must show at once), and sent compressed to whoever can read that;
each is compressed once.
"""

import gzip
from pathlib import Path
from typing import Any

from django.apps import apps
from django.conf import settings
from whitenoise import WhiteNoise

from explainer.middleware import POLICY

SMALL = 400
"""Bytes that are not worth a gzip header."""
TEXT = ("text/", "application/javascript", "application/json", "image/svg+xml")


class StaticApp:
    """Serves ``STATICFILES_DIRS`` and the ``static`` folders of the installed apps under ``/static/``."""

    def __init__(self) -> None:
        self.files = WhiteNoise(None, max_age=0, allow_all_origins=False, autorefresh=settings.DEBUG)
        folders = [Path(app.path) / "static" for app in reversed(list(apps.get_app_configs()))]
        for folder in [*folders, *(Path(name) for name in settings.STATICFILES_DIRS)]:
            if folder.is_dir():
                self.files.add_files(str(folder), "/static/")
        self.packed: dict[tuple[str, str], bytes] = {}

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        found = self.files.find_file(scope["path"]) if settings.DEBUG else self.files.files.get(scope["path"])
        if found is None:
            await _answer(send, 404, [("Content-Type", "text/plain")], b"There is no such file.\n")
            return
        environ = {
            "HTTP_" + name.decode("latin-1").upper().replace("-", "_"): value.decode("latin-1")
            for name, value in scope["headers"]
        }
        response = found.get_response(scope["method"], environ)
        body = b""
        if response.file is not None:
            with response.file:
                body = response.file.read()
        known = list(response.headers)
        if "gzip" in environ.get("HTTP_ACCEPT_ENCODING", "") and len(body) > SMALL and response.status == 200:
            body, known = self._pack(scope["path"], body, known)
        headers = [*known, ("Content-Security-Policy", POLICY), ("X-Content-Type-Options", "nosniff")]
        await _answer(send, int(response.status), headers, body)

    def _pack(self, path: str, body: bytes, headers: list[tuple[str, str]]) -> tuple[bytes, list[tuple[str, str]]]:
        """The same, compressed, if it is text."""
        facts = {name.lower(): value for name, value in headers}
        if not facts.get("content-type", "").startswith(TEXT):
            return body, headers
        key = (path, facts.get("etag", "") or str(len(body)))
        if key not in self.packed:
            self.packed[key] = gzip.compress(body, 9, mtime=0)
        packed = self.packed[key]
        rest = [(name, value) for name, value in headers if name.lower() not in ("content-length", "vary")]
        added = [("Content-Encoding", "gzip"), ("Vary", "Accept-Encoding"), ("Content-Length", str(len(packed)))]
        return packed, [*rest, *added]


async def _answer(send: Any, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
    encoded = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]
    await send({"type": "http.response.start", "status": status, "headers": encoded})
    await send({"type": "http.response.body", "body": body})
