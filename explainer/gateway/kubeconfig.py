"""kubeconfig files: one of all clusters (``var/kubeconfig``), one of a single cluster, for any certificate user.

The text is YAML as kubectl writes it. The TLS port shows the default cluster's certificate to a client that names no
server; so the other clusters' CA bundle carries that CA too, and ``tls-server-name`` asks for their own certificate.
"""

import os
from pathlib import Path

import msgspec

from explainer import pki
from explainer.runs import clusters

ADMIN = "kubernetes-admin"


class Entry:
    """One cluster with one user."""

    def __init__(self, name: str, server: str, authorities: bytes, user: str, certificate: bytes, key: bytes) -> None:
        self.name = name
        self.server = server
        self.authorities = authorities
        self.user = user
        self.certificate = certificate
        self.key = key


def entry(
    name: str, keys: dict[str, bytes], port_ca: bytes, server: str, user: str = "", groups: tuple[str, ...] = ()
) -> Entry:
    """The cluster's entry for its admin, or for ``user`` with a certificate made now."""
    own = keys["ca_cert"]
    authorities = own if own == port_ca else own + port_ca
    if not user:
        return Entry(name, server, authorities, ADMIN, keys["admin_cert"], keys["admin_key"])
    certificate, key = pki.Authority(own, keys["ca_key"]).client(user, groups)
    return Entry(name, server, authorities, user, certificate, key)


def text(entries: list[Entry], current: str) -> str:
    """The file. Names are JSON strings, which are YAML too."""
    lines = ["apiVersion: v1", "kind: Config", "preferences: {}", f"current-context: {current}", "clusters:"]
    for each in entries:
        lines += [
            f"- name: {each.name}",
            "  cluster:",
            f"    certificate-authority-data: {pki.base64_text(each.authorities)}",
            f"    server: {each.server}",
        ]
        if each.name != clusters.DEFAULT:
            lines.append(f"    tls-server-name: {pki.sni(each.name)}")
    lines.append("contexts:")
    for each in entries:
        lines += [
            f"- name: {each.name}",
            "  context:",
            f"    cluster: {each.name}",
            f"    user: {quoted(_user(each))}",
        ]
    lines.append("users:")
    for each in entries:
        lines += [
            f"- name: {quoted(_user(each))}",
            "  user:",
            f"    client-certificate-data: {pki.base64_text(each.certificate)}",
            f"    client-key-data: {pki.base64_text(each.key)}",
        ]
    return "\n".join(lines) + "\n"


def quoted(value: str) -> str:
    """A YAML scalar that can't be anything but this string."""
    plain = value.replace("-", "").replace(":", "")
    if plain.isalnum() and plain.isascii() and plain[0].isalpha() and value[-1] not in ":-" and ": " not in value:
        return value
    return msgspec.json.encode(value).decode()


def _user(each: Entry) -> str:
    return each.user if each.name == clusters.DEFAULT else f"{each.user}-{each.name}"


def write(path: Path, content: str) -> None:
    """Replace the file at once, readable by its owner only (it holds private keys)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(path.name + ".new")
    handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w") as file:
        file.write(content)
    os.chmod(new, 0o600)
    os.replace(new, path)
