"""A request as the ``curl`` line one would type (lesson 4): the CA in ``k8s-ca.cert``, a token in ``$TOKEN``.

In → a trace (method, path, raw HTTP); out → one shell line. Nothing secret is in it: a bearer token is ``$TOKEN``, a client certificate
two file names. Every argument is quoted for the shell.
"""

from __future__ import annotations

import shlex
from typing import Any

SENT_BY_CURL = {
    "host",
    "content-length",
    "user-agent",
    "accept-encoding",
    "connection",
    "authorization",
    "x-forwarded-for",
}


def line(trace: dict[str, Any]) -> str:
    """Return the line; ``$SERVER`` stands for ``https://<IP>:<port>``."""
    raw = trace.get("raw") or {}
    head = [row.partition(": ") for row in str(raw.get("requestHead", "")).split("\n")[1:] if row]
    headers = [
        (name, value)
        for name, _colon, value in head
        if name.lower() not in SENT_BY_CURL and not name.lower().startswith("kubectl-")
    ]
    words = ["curl", "--cacert", "k8s-ca.cert"]
    method = str(trace.get("method", "GET"))
    if method != "GET":
        words += ["-X", method]
    said = " ".join(shlex.quote(word) for word in words)
    token = any(name.lower() == "authorization" for name, _colon, _value in head)
    if token:
        said += ' -H "Authorization: Bearer $TOKEN"'
    elif trace.get("user") not in ("", None, "system:anonymous"):
        said += " --cert client.crt --key client.key"
    for name, value in headers:
        said += f" -H {shlex.quote(f'{name}: {value}')}"
    body = str(raw.get("requestBody") or "")
    if body:
        said += f" --data-binary {shlex.quote(body)}"
        if not any(name.lower() == "content-type" for name, _value in headers):
            said += " -H 'Content-Type: application/json'"
    return f'{said} "$SERVER"{shlex.quote(str(trace.get("path", "/")))}'
