"""A sample of ``make kernel-check``: skipped, with the reason, where network namespaces are not allowed."""

import pytest

from cluster.node.frames import HEADS, IP
from tests.kernel.cases import CASES
from tests.kernel.checks import FIRST, Report, check, endpoints_of, flavours_of
from tests.kernel.room import Room, missing

SAMPLE = ("ipt-healthcheck-nodeport", "ipt-itp-cluster", "nft-no-endpoints-reject", "nft-nodeports-ipv4")


def test_a_first_packet_is_as_long_as_in_the_simulated_cluster() -> None:
    assert FIRST["tcp", 4] == IP + HEADS["syn"]


@pytest.fixture(scope="module")
def _allowed() -> None:
    why_not = missing()
    if why_not:
        pytest.skip(why_not)


@pytest.mark.usefixtures("_allowed")
@pytest.mark.parametrize("name", SAMPLE)
def test_the_kernel_agrees(name: str) -> None:
    rules, options, node_ips, rows = CASES[name]()
    report = Report()
    with Room(node_ips, endpoints_of(rules), {row.src for row in rows}) as room:
        check(room, rules, flavours_of(rules), rows, options, report, name)
    assert report.wrong == []
    assert report.packets and report.rules
