"""A pasted dump: recorded real ones are walked as recorded, what is wrong is said with its field, line and reason, and nothing too long is read."""

import os
import sys
from pathlib import Path

import django
import pytest

from explainer.pages import cost, pasting
from tests.loops import run

KUBE_PROXY = Path(__file__).parents[1] / "cluster" / "kubeproxy" / "data"

FIELDS = {
    "src": "10.244.1.9",
    "dst": "10.96.10.1",
    "port": "80",
    "protocol": "tcp",
    "ips": "192.168.49.2",
    "in": "",
    "out": "",
    "way": "",
}
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.browser.settings")
PLAIN = "*filter\n:FORWARD ACCEPT [0:0]\nCOMMIT\n"


@pytest.fixture(scope="module", autouse=True)
def words() -> None:
    """Sentences can be said."""
    django.setup()


def walk(text: str, **fields: str) -> dict:
    return run(pasting.walk(text, {**FIELDS, **fields}))


def recorded(name: str) -> str:
    folder: Path = KUBE_PROXY / "recorded" / name
    return "".join((folder / f"{table}.txt").read_text() for table in ("mangle", "filter", "nat"))


@pytest.mark.parametrize(
    ("name", "fields", "ends"),
    [
        ("03-clusterip-2-endpoints", {}, {"10.244.1.2:8080", "10.244.1.3:8080"}),
        (
            "12-loadbalancer-source-ranges",
            {"dst": "203.0.113.10", "src": "203.0.113.9"},
            {"10.244.0.2:8080", "10.244.1.3:8080"},
        ),
        ("12-loadbalancer-source-ranges", {"dst": "203.0.113.10", "src": "192.0.2.1"}, {"DROP"}),
    ],
)
def test_a_real_nodes_dump(name: str, fields: dict[str, str], ends: set[str]) -> None:
    told = walk(recorded(name), **fields)
    found = {way["endpoint"] if way["verdict"] == "DNAT" else way["verdict"] for way in told["ways"]}
    assert found == ends
    assert told["unknown"] == [] and told["frames"][-1]["kind"] == "end"


@pytest.mark.parametrize(
    ("text", "fields", "field", "line"),
    [
        ("", {}, "dump", 0),
        (PLAIN, {"src": "10.0.0.256"}, "src", 0),
        (PLAIN, {"dst": "fd00::1"}, "dst", 0),
        (PLAIN, {"port": "0"}, "port", 0),
        (PLAIN, {"port": "²"}, "port", 0),
        (PLAIN, {"ips": "10.0.0.1, here"}, "ips", 0),
        (PLAIN, {"ips": " ".join(["10.0.0.1"] * 17)}, "ips", 0),
        (PLAIN, {"protocol": "icmp"}, "protocol", 0),
        ("*nat\n:PREROUTING ACCEPT [0:0]\n-A PREROUTING -p tcp --dport abc -j ACCEPT\nCOMMIT\n", {}, "dump", 3),
        ("table ip t {\n\tchain c {\n\t\ttcp dport {\n", {}, "dump", None),
        ("# x\n" * (pasting.MAX_LINES + 1), {}, "dump", 0),
    ],
)
def test_what_is_wrong_is_said_where_it_is(text: str, fields: dict[str, str], field: str, line: int | None) -> None:
    with pytest.raises(pasting.Wrong) as wrong:
        walk(text, **fields)
    assert wrong.value.field == field and wrong.value.said
    assert line is None or wrong.value.line == line


def test_the_cost_of_services_is_measured() -> None:
    """iptables asks the more the more there are; the modes that look up don't. A small and a larger cluster of each."""
    asked = {
        (mode, n): cost.measure(mode, n)["asked"]
        for mode in ("iptables", "nftables", "ipvs", "userspace")
        for n in (5, 50)
    }
    assert asked["iptables", 50] - asked["iptables", 5] == 45 == asked["userspace", 50] - asked["userspace", 5]
    assert asked["nftables", 50] == asked["nftables", 5] and asked["ipvs", 50] == asked["ipvs", 5]


def measured() -> list[dict]:
    """What one who looks is told."""

    async def all_points() -> list[dict]:
        return [point async for point in cost.measuring().points()]

    async def twice() -> list[dict]:
        return [*await all_points(), *await all_points()]

    return run(twice())


def test_a_measurement_that_fails_is_told_and_begun_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)  # wherever the product was started
    program = "import sys, json; print(json.dumps({'n': 1})); sys.exit('no memory')"
    monkeypatch.setattr(cost, "COMMAND", (sys.executable, "-c", program))
    assert measured() == [{"n": 1}, {"error": "no memory"}] * 2


def test_a_measurement_that_is_whole_is_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    program = f"import explainer.config, pathlib; p = pathlib.Path({str(tmp_path / 'ran')!r}); p.open('a').write('x'); print(len(p.read_text()))"
    monkeypatch.setattr(cost, "COMMAND", (sys.executable, "-c", program))
    assert measured() == [1, 1]
