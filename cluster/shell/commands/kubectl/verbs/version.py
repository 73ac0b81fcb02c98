"""``kubectl version``: this client's and the server's."""

from cluster.shell.commands.kubectl.command import Kubectl
from cluster.shell.commands.kubectl.failures import Failure
from cluster.shell.commands.kubectl.flags import BOOL, Flag
from cluster.shell.goyaml import dump, go_json
from cluster.shell.interpreter import Run

NAMES = ("version",)
FLAGS = {"client": BOOL, "output": Flag(short="o")}
CLIENT = {
    "buildDate": "2025-04-22T16:03:58Z", "compiler": "gc", "gitCommit": "59526cd4867447956156ae3a602fcbac10a2c335",
    "gitTreeState": "clean", "gitVersion": "v1.32.4", "goVersion": "go1.23.6", "major": "1", "minor": "32",
    "platform": "linux/amd64",
}  # fmt: skip
KUSTOMIZE = "v5.5.0"


def run(k: Kubectl) -> Run:
    """Three lines, or a document with ``-o``."""
    if k.flags["output"] not in ("", "yaml", "json"):
        raise Failure("--output must be 'yaml' or 'json'")
    doc = {"clientVersion": CLIENT, "kustomizeVersion": KUSTOMIZE}
    if not k.flags["output"]:
        k.out(f"Client Version: {CLIENT['gitVersion']}\nKustomize Version: {KUSTOMIZE}\n")
    if not k.flags["client"]:
        server = yield from k.client.call("GET", "/version", [("timeout", "32s")])
        doc["serverVersion"] = server
        if not k.flags["output"]:
            k.out(f"Server Version: {server['gitVersion']}\n")
    if k.flags["output"]:
        k.out(dump(doc) if k.flags["output"] == "yaml" else go_json(doc, 2) + "\n")
    return 0
