"""A load client in a process of its own: keep-alive TLS connections that send one request after another.

``python -m bench.load PORT CONNECTIONS SECONDS get|create CERT KEY PATH`` prints JSON: requests a second, percentiles in ms.
"""

import asyncio
import json
import ssl
import sys
import time


async def worker(
    number: int, port: int, until: float, kind: str, path: str, tls: ssl.SSLContext, times: list[float]
) -> int:
    """One connection; how many answers were not 2xx."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=tls)
    count = wrong = 0
    while time.perf_counter() < until:
        count += 1
        if kind == "get":
            message = f"GET {path} HTTP/1.1\r\nHost: x\r\nAccept: application/json\r\n\r\n"
        else:
            body = json.dumps(
                {
                    "apiVersion": "v1",
                    "kind": "ConfigMap",
                    "metadata": {"name": f"b{int(until)}-{number}-{count}"},
                    "data": {"k": "v" * 64},
                }
            )
            message = (
                f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nAccept: application/json\r\n"
                f"Content-Length: {len(body)}\r\n\r\n{body}"
            )
        started = time.perf_counter()
        writer.write(message.encode())
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        await reader.readexactly(length)
        times.append(time.perf_counter() - started)
        wrong += not head.startswith(b"HTTP/1.1 2")
    writer.close()
    return wrong


async def main() -> None:
    port, connections, seconds, kind, cert, key, path = sys.argv[1:]
    tls = ssl._create_unverified_context()
    tls.load_cert_chain(cert, key)
    times: list[float] = []
    until = time.perf_counter() + float(seconds)
    jobs = [worker(n, int(port), until, kind, path, tls, times) for n in range(int(connections))]
    wrong = sum(await asyncio.gather(*jobs))
    times.sort()
    print(
        json.dumps(
            {
                "perSecond": round(len(times) / float(seconds), 1),
                "p50Ms": round(times[len(times) // 2] * 1000, 2),
                "p99Ms": round(times[int(len(times) * 0.99)] * 1000, 2),
                "notOk": wrong,
            }
        )
    )


if __name__ == "__main__":
    asyncio.run(main())
