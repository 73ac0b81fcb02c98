"""``kubectl logs``: what a container printed; ``-f`` follows."""

from cluster.shell.commands.kubectl.client import Asking, document, failure
from cluster.shell.commands.kubectl.command import Kubectl
from cluster.shell.commands.kubectl.failures import Failure
from cluster.shell.commands.kubectl.flags import BOOL, SELECTOR, STRING, Flag, duration
from cluster.shell.effects import Next
from cluster.shell.interpreter import Run

NAMES = ("logs",)
FLAGS = {
    **SELECTOR,
    "follow": Flag("bool", "f", False),
    "container": Flag(short="c"),
    "previous": Flag("bool", "p", False),
    "tail": Flag("int", default=-1),
    "timestamps": BOOL,
    "since": Flag(default="0s"),
    "since-time": STRING,
    "limit-bytes": Flag("int", default=0),
    "all-containers": BOOL,
    "prefix": BOOL,
    "ignore-errors": BOOL,
    "pod-running-timeout": STRING,
}


def run(k: Kubectl) -> Run:
    """The text as it comes."""
    if not k.args and not k.flags["selector"]:
        raise Failure(
            "expected 'logs [-f] [-p] (POD | TYPE/NAME) [-c CONTAINER]'.\nPOD or TYPE/NAME is a required argument for the logs command\nSee 'kubectl logs -h' for help and examples"
        )
    pods = yield from _pods(k)
    for pod in pods:
        names = [each["name"] for field in ("containers", "initContainers") for each in pod["spec"].get(field) or ()]
        wanted = k.flags["container"] or (k.args[1] if len(k.args) > 1 else "")
        if wanted and wanted not in names:
            raise Failure(f"container {wanted} is not valid for pod {pod['metadata']['name']}")
        first = [each["name"] for each in pod["spec"].get("containers") or ()]
        default = (pod["metadata"].get("annotations") or {}).get("kubectl.kubernetes.io/default-container", first[0])
        if not wanted and not k.flags["all-containers"] and len(names) > 1:
            k.err(f'Defaulted container "{default}" out of: {_listed(pod)}\n')
        chosen = first if k.flags["all-containers"] else [wanted or default]
        for name in chosen:
            yield from _show(k, pod, name if len(names) > 1 or wanted else "")
    return 0


def _listed(pod: dict) -> str:
    names = [each["name"] for each in pod["spec"].get("containers") or ()]
    return ", ".join(names + [f"{each['name']} (init)" for each in pod["spec"].get("initContainers") or ()])


def _pods(k: Kubectl) -> Asking:
    if k.flags["selector"]:
        mapping = yield from k.client.mapping("pods")
        return [target.doc for target in (yield from k.listed(mapping))]
    word = k.args[0]
    if "/" not in word:
        return [(yield from k.client.call("GET", f"/api/v1/namespaces/{k.namespace}/pods/{word}"))]
    _, targets = yield from k.named([word])
    doc = yield from k.fetch(targets[0])
    if targets[0].mapping.kind == "Pod":
        return [doc]
    pairs = (doc["spec"].get("selector") or {}).get("matchLabels") or doc["spec"].get("selector") or {}
    k.flags["selector"] = ",".join(f"{key}={value}" for key, value in sorted(pairs.items()))
    mapping = yield from k.client.mapping("pods")
    found = yield from k.listed(mapping)
    if not found:
        raise Failure("timed out waiting for the condition")
    if len(found) > 1:
        k.err(f"Found {len(found)} pods, using pod/{found[0].name}\n")
    return [found[0].doc]


def _show(k: Kubectl, pod: dict, container: str) -> Asking:
    query = [("container", container)] if container else []
    if k.flags["follow"]:
        query.append(("follow", "true"))
    if k.flags["previous"]:
        query.append(("previous", "true"))
    if k.flags["tail"] >= 0:
        query.append(("tailLines", str(k.flags["tail"])))
    if k.flags["timestamps"]:
        query.append(("timestamps", "true"))
    if k.flags["limit-bytes"]:
        query.append(("limitBytes", str(k.flags["limit-bytes"])))
    since = duration(k.flags["since"])
    if since:
        query.append(("sinceSeconds", str(max(since // 1_000_000_000, 1))))
    where = f"/api/v1/namespaces/{pod['metadata']['namespace']}/pods/{pod['metadata']['name']}/log"
    answer = yield from k.client.send("GET", where, query)
    if answer.code >= 400:
        raise failure(answer, document(answer), "GET", where)
    lead = (
        f"[pod/{pod['metadata']['name']}/{container or pod['spec']['containers'][0]['name']}] "
        if k.flags["prefix"]
        else ""
    )
    k.out(_prefixed(answer.body.decode("utf-8", "replace"), lead))
    while answer.stream:
        piece = yield Next(answer.id)
        if piece.end:
            break
        k.out(_prefixed(piece.body.decode("utf-8", "replace"), lead))
    return 0


def _prefixed(text: str, lead: str) -> str:
    return "".join(lead + line for line in text.splitlines(keepends=True)) if lead else text


def show(k: Kubectl, pod: dict) -> Asking:
    """All that the pod's only container printed."""
    where = f"/api/v1/namespaces/{pod['metadata']['namespace']}/pods/{pod['metadata']['name']}/log"
    answer = yield from k.client.send("GET", where, [])
    if answer.code >= 400:
        raise failure(answer, document(answer), "GET", where)
    k.out(answer.body.decode("utf-8", "replace"))
    while answer.stream:
        piece = yield Next(answer.id)
        if piece.end:
            break
        k.out(piece.body.decode("utf-8", "replace"))
