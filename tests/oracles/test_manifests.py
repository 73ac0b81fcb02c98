"""The documentation's task examples, each given to ``kubectl apply`` in a fresh namespace, against what a real 1.32 said."""

import json
import os
import re
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import yaml

FLOOR = 172
"""Manifests that end as recorded, of 172."""
NAMED = ("mem-example", "qos-example")
"""Namespaces that manifests name themselves and expect to be there."""


def test_the_documentations_examples_are_taken_as_by_the_real_server(
    oracles: Path, fresh_cluster: Callable[[str], Path]
) -> None:
    folder = oracles / "manifests"
    rows = [line.split("\t") for line in (folder / "expected.tsv").read_text().splitlines()]
    home = fresh_cluster("manifests")
    config = yaml.safe_load((home / "kubeconfig").read_text())

    def kubectl(namespace: str, *words: str, said: str = "") -> subprocess.CompletedProcess[str]:
        """kubectl whose context's namespace is that one: manifests that name their own go there."""
        context = config["contexts"][0]
        own = {**config, "contexts": [{**context, "context": {**context["context"], "namespace": namespace}}]}
        file = home / namespace
        file.write_text(json.dumps(own))
        environment = {"PATH": os.environ["PATH"], "HOME": str(home), "KUBECONFIG": str(file)}
        return subprocess.run(
            ["kubectl", *words], env=environment, cwd=folder, input=said, capture_output=True, text=True, timeout=60
        )

    spaces = [f"fresh-{i}" for i in range(len(rows))]
    items = [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}} for name in (*spaces, *NAMED)]
    made = kubectl(
        "default", "create", "-f", "-", said=json.dumps({"apiVersion": "v1", "kind": "List", "items": items})
    )
    assert made.returncode == 0, made.stderr

    def compare(number: int) -> str:
        """What differs for one manifest, or ""."""
        path, expected, words = rows[number]
        done = kubectl(spaces[number], "apply", "-f", path)
        said = " | ".join(line.rstrip() for line in done.stderr.splitlines() if line.strip()).replace(
            spaces[number], "<ns>"
        )
        outcome = verdict(done.returncode, said)
        if outcome != expected:
            return f"{path}: {expected} ({words}), here {outcome} ({said})"
        if expected != "accepted" and not same(words, said):
            return f"{path}: the words differ:\n  {words}\n  {said}"
        return ""

    def in_order(numbers: list[int]) -> list[str]:
        return [text for text in map(compare, numbers) if text]

    examples: dict[str, list[int]] = {}  # one written in two formats names the same objects: those one after the other
    for number, (path, *_) in enumerate(rows):
        examples.setdefault(path.rpartition(".")[0], []).append(number)
    with ThreadPoolExecutor(3) as pool:
        differences = [text for texts in pool.map(in_order, examples.values()) for text in texts]
    score = len(rows) - len(differences)
    print(f"{score} of {len(rows)} manifests as recorded")
    assert score >= FLOOR, "\n".join(differences)


def verdict(code: int, said: str) -> str:
    """``accepted``, ``crd`` (a kind the server doesn't serve), ``client`` (kubectl itself gave up) or ``refused``."""
    if code == 0:
        return "accepted"
    if "ensure CRDs are installed first" in said:
        return "crd"
    return "refused" if re.search(r"Error from server|is invalid", said) else "client"


def same(recorded: str, said: str) -> bool:
    """The recording keeps the first 400 characters; resource mapping errors name every unknown kind, it the first."""
    return said.startswith(recorded) or recorded.startswith(said)
