"""252 commands recorded from a real Kubernetes 1.32 by real curl and kubectl, typed again at this one.

What still differs, and why: ``DIFFERENT``. A command that begins to differ fails the test; one that stops to differ
only shows in the printed score.
"""

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

FLOOR = {"a": 22, "b": 21, "c": 79, "d": 10, "e": 20, "f": 93}
"""Commands that answer the same, by section: authentication, discovery, objects, watches, subresources, kubectl."""
DIFFERENT = {
    "d09": "curl speaks HTTP/1.1 to us and HTTP/2 to the real one: Transfer-Encoding",
    "f08": "our apiserver listens on 6443, the recorded one on 16443",
    "f09": "the port again",
    "f10": "the port again",
    "f34": "the recorded nodes had no kubelet port: our logs answer",
    "f36": "the recorded nodes had no kubelet port: our exec answers",
    "f83": "our admin's certificate is of kubeadm:cluster-admins, the recorded one's of system:masters",
    "f96": "kubectl get --raw leaves the path of the server's URL out",
}
SETTLED = """\
while kubectl get po -l app=web -o jsonpath='{.items[*].metadata.deletionTimestamp}' | grep -q .; do :; done; \
"""
"""What f64 has to wait for. It evicts the first Pod by name, which the restart before it may still be terminating (the
recorded nodes had no kubelet: Pods were gone at once); of such a Pod no budget is asked, here as there."""


def test_the_recorded_commands_answer_as_recorded(oracles: Path, fresh_cluster: Callable[[str], Path]) -> None:
    folder = fresh_cluster("oracle")
    report, commands = folder / "report", folder / "commands.toml"
    recorded = (oracles / "apiserver" / "commands.toml").read_text()
    head, evict, tail = recorded.partition("kubectl apply -f $W/pdb.yaml;")
    assert evict and "f64-pdb-eviction" in head[-100:]
    commands.write_text(head + SETTLED + evict + tail)
    replay = [sys.executable, str(oracles / "apiserver" / "replay.py"), "--report", str(report)]
    replay += ["--commands", str(commands)]
    replay += ["--kubeconfig", str(folder / "kubeconfig"), "--jane", str(folder / "jane.kubeconfig")]
    done = subprocess.run(replay, capture_output=True, text=True, timeout=600)
    print(done.stdout, done.stderr)
    sections = re.search(r"by section: (.*)", done.stdout)
    assert sections, f"no score: {done.stdout}{done.stderr}"
    score = {name: int(same) for name, same in re.findall(r"(\w) (\d+)/\d+", sections[1])}
    differ = re.search(r"differ: (.*)", done.stdout)
    news = [i for i in (differ[1].split() if differ else []) if i.partition("-")[0] not in DIFFERENT]
    said = f"{', '.join(news) or 'nothing new'} differs:\n{report.read_text()[:20_000]}"
    assert all(score[name] >= floor for name, floor in FLOOR.items()), said
