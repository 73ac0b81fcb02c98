"""``apt-get install kubelet=…`` and ``systemctl restart kubelet`` on a node: another release of the kubelet.

In → words; out → what the program prints. The package is unpacked at once; the kubelet that runs is the old one until it is restarted, as on a real host.

Simplified here: only the kubelet's package (and kubeadm's and kubectl's, which change nothing: the newest kubeadm is installed everywhere) and only the
kubelet's unit are known.
"""

import re
from typing import Any

from cluster.api.releases import RELEASES
from cluster.node.tools import Printed
from cluster.sim import Outbox

NAMES = ("apt-get", "apt", "apt-mark", "systemctl")
PACKAGES = ("kubelet", "kubectl", "kubeadm")
_WISH = re.compile(r"([a-z0-9.+-]+)(?:=([0-9.]+)(-.*)?)?")


def run(kernel: Any, words: list[str], out: Outbox) -> Printed:
    """Run one of ``NAMES``."""
    name, *rest = words
    args = [word.strip("'\"") for word in rest if not word.startswith("-")]
    if name == "systemctl":
        return _systemctl(kernel, args, out)
    if name == "apt-mark":
        verb = {"hold": "set on hold", "unhold": "no longer on hold"}.get(args[0] if args else "")
        if verb is None:
            return Printed(err="E: No operation specified\n", code=100)
        return Printed(
            "".join(
                f"{package} {'was ' if verb[0] == 'n' else ''}{verb}.\n".replace("was no", "is no")
                for package in args[1:]
            )
        )
    if args[:1] == ["update"]:
        return Printed("Hit:1 https://pkgs.k8s.io/core:/stable:/v1.33/deb  InRelease\nReading package lists... Done\n")
    if args[:1] != ["install"] or not args[1:]:
        return Printed(err="E: apt-get: only update and install kubelet=VERSION are simulated\n", code=100)
    return _install(kernel, args[1:], out)


def _install(kernel: Any, wishes: list[str], out: Outbox) -> Printed:
    text = "Reading package lists... Done\nBuilding dependency tree... Done\n"
    found: list[tuple[str, str]] = []
    for wish in wishes:
        match = _WISH.fullmatch(wish)
        package, number = (match[1], match[2] or "") if match is not None else (wish, "")
        if package not in PACKAGES:
            return Printed(text, f"E: Unable to locate package {package}\n", 100)
        version = f"v{number}" if number else list(RELEASES)[-1]
        if version not in RELEASES:
            return Printed(
                text, f"E: Version \u2018{wish.partition('=')[2]}\u2019 for \u2018{package}\u2019 was not found\n", 100
            )
        found.append((package, version))
    for package, version in found:
        text += f"Setting up {package} ({version[1:]}-1.1) ...\n"
        if package == "kubelet":
            out.reconfigure(f"kubelet-{kernel.config.node}", {"version": version})
    return Printed(text)


def _systemctl(kernel: Any, args: list[str], out: Outbox) -> Printed:
    if args[:1] == ["daemon-reload"]:
        return Printed()
    if args[:1] == ["restart"] and args[1:] in (["kubelet"], ["kubelet.service"]):
        process = f"kubelet-{kernel.config.node}"
        out.kill(process)
        out.execute(process)
        return Printed()
    unit = args[1] if args[1:] else ""
    return Printed(
        err=f"Failed to {args[0] if args else 'run'} {unit}: only daemon-reload and restart kubelet are simulated\n",
        code=5,
    )
