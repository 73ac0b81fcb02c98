"""``python -m tests.kernel [case …]``: every case on the real kernel, or those whose name has one of the words; ``--seeds 1-20``: random ones.

Exit 0 when all agree, 1 on a disagreement, 2 when nothing was compared: it can't be run here, or there is no such case.
"""

import sys
import time
from pathlib import Path

from tests.kernel.cases import CASES, random_cases
from tests.kernel.checks import Report, check, endpoints_of, flavours_of
from tests.kernel.room import Room, missing


def main(asked: list[str]) -> int:
    """Run them."""
    chosen = CASES
    if asked[:1] == ["--seeds"]:
        first, _, last = asked[1].partition("-")
        chosen, asked = random_cases(int(first), int(last or first)), asked[2:]
    why = missing()
    if why:
        print(f"The kernel check cannot be run here: {why}.")
        return 2
    strange = [word for word in asked if not any(word in name for name in chosen)]
    if strange:
        print(f"There is no such case: {', '.join(strange)}.")
        return 2
    report = Report()
    for name, case in chosen.items():
        if asked and not any(word in name for word in asked):
            continue
        before, began = len(report.wrong), time.monotonic()
        rules, options, node_ips, rows = case()
        sources = {row.src for row in rows}
        packets = report.packets
        with Room(node_ips, endpoints_of(rules), sources) as room:
            check(room, rules, flavours_of(rules), rows, options, report, name)
        verdict = "agrees" if len(report.wrong) == before else "DISAGREES"
        print(f"{verdict:<9} {name}: {report.packets - packets} packets, {time.monotonic() - began:.1f} s", flush=True)
        for line in report.wrong[before:]:
            print(f"    {line}")
    print(
        f"{report.rules} rules loaded and read back, {report.packets} packets compared, {report.skipped} not sent "
        f"(no SCTP here), {len(report.wrong)} disagreements"
    )
    print(f"{report.untold} ends cannot be told from nft's listing of iptables' tables (it leaves out options)")
    if not Path("/proc/net/ip_vs").exists():
        print(
            "Of IPVS only sets and iptables rules are compared, and those only with ipset here: this kernel has none."
        )
    return 1 if report.wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
