"""``ping -c -W -w``: echo requests, a second apart. Nobody answers for a cluster IP: it is only an address and a port in rules.

Upstream: busybox 1.36 networking/ping.c, iputils 20221126 (texts). Simplified here: without ``-c`` four are sent.
"""

from cluster.network.effects import Call, Console, Pause, Run
from cluster.network.resolve import resolve
from cluster.sim import SECOND

NAMES = ("ping",)


def run(console: Console, words: list[str]) -> Run:
    """1 if nothing came back."""
    count, wait, host = 4, 10 * SECOND if console.busybox else SECOND, ""
    rest = words[1:]
    while rest:
        word = rest.pop(0)
        if word[:2] in ("-c", "-W", "-w", "-i", "-s", "-I", "-t") and word.startswith("-"):
            value = word[2:] or (rest.pop(0) if rest else "")
            if word[1] == "c" and value.isdigit():
                count = max(1, min(int(value), 100))
            elif word[1] == "W" and value.replace(".", "", 1).isdigit():
                wait = int(float(value) * SECOND)
        elif not word.startswith("-"):
            host = word
    if not host:
        console.err("ping: usage error: Destination address required\n")
        return 1
    found = yield from resolve(console, host)
    if not found.addresses:
        console.err(
            f"ping: bad address '{host}'\n" if console.busybox else f"ping: {host}: Name or service not known\n"
        )
        return 1 if console.busybox else 2
    address = found.addresses[0]
    console.out(
        f"PING {host} ({address}): 56 data bytes\n"
        if console.busybox
        else f"PING {host} ({address}) 56(84) bytes of data.\n"
    )
    times: list[float] = []
    unreachable = 0
    began = console.now
    for number in range(count):
        if number:
            console.now, _ = yield Pause(SECOND)
        console.now, done = yield Call("icmp", address, 0, number, wait)
        assert done is not None
        if done.error == "unreachable":
            unreachable += 1
            if not console.busybox:
                console.out(
                    f"From {done.payload or done.local.partition(':')[0]} icmp_seq={number + 1} Destination Host Unreachable\n"
                )
        elif done.error == "refused":
            unreachable += 1
            if not console.busybox:
                console.out(f"From {done.payload or address} icmp_seq={number + 1} Destination Port Unreachable\n")
        if done.error:
            continue
        times.append(done.took / 1e6)
        ttl = done.payload if isinstance(done.payload, int) else 64
        console.out(f"64 bytes from {address}: seq={number} ttl={ttl} time={times[-1]:.3f} ms\n" if console.busybox else
                    f"64 bytes from {address}: icmp_seq={number + 1} ttl={ttl} time={times[-1]:.3f} ms\n")  # fmt: skip
    lost = (count - len(times)) * 100 // count
    low, high, mean = (min(times), max(times), sum(times) / len(times)) if times else (0.0, 0.0, 0.0)
    if console.busybox:
        console.out(
            f"\n--- {host} ping statistics ---\n{count} packets transmitted, {len(times)} packets received, {lost}% packet loss\n"
        )
        console.out(f"round-trip min/avg/max = {low:.3f}/{mean:.3f}/{high:.3f} ms\n" if times else "")
    else:
        errors = f", +{unreachable} errors" if unreachable else ""
        took = (console.now - began) // 1_000_000
        console.out(f"\n--- {host} ping statistics ---\n{count} packets transmitted, {len(times)} received{errors}, {lost}% packet loss, time {took}ms\n")  # fmt: skip
        spread = (sum((t - mean) ** 2 for t in times) / len(times)) ** 0.5 if times else 0.0
        console.out(f"rtt min/avg/max/mdev = {low:.3f}/{mean:.3f}/{high:.3f}/{spread:.3f} ms\n" if times else "")
    return 0 if times else 1
