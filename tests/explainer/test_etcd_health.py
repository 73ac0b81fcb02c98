"""A member's ``/health``, ``/livez`` and ``/readyz``, for each state that it may be in."""

from typing import Any

import pytest

from explainer.gateway import etcd_health
from explainer.runs.bus import Unavailable
from tests.loops import run

WELL: dict[str, Any] = {}
ALONE = {"errors": ["etcdserver: no leader"]}
FULL = {"errors": ["memberID:1 alarm:NOSPACE "]}
CORRUPT = {"errors": ["memberID:1 alarm:CORRUPT "]}
TIMED_OUT = {"error": "etcdserver: request timed out"}
LEARNER = {"error": etcd_health.LEARNER}


@pytest.mark.parametrize(
    ("page", "status", "read", "code", "text"),
    [
        ("/health", WELL, {}, 200, '{"health":"true","reason":""}'),
        ("/health", ALONE, {}, 503, '{"health":"false","reason":"RAFT NO LEADER"}\n'),
        ("/health?serializable=true", ALONE, TIMED_OUT, 200, '{"health":"true","reason":""}'),
        ("/health", FULL, {}, 503, '{"health":"false","reason":"ALARM NOSPACE"}\n'),
        ("/health?exclude=NOSPACE", FULL, {}, 200, '{"health":"true","reason":""}'),
        ("/health?exclude=NOSPACE", CORRUPT, {}, 503, '{"health":"false","reason":"ALARM CORRUPT"}\n'),
        ("/health", WELL, TIMED_OUT, 503, '{"health":"false","reason":"RANGE ERROR:context deadline exceeded"}\n'),
        ("/health", WELL, None, 503, '{"health":"false","reason":"RANGE ERROR:context deadline exceeded"}\n'),
        ("/health", WELL, LEARNER, 200, '{"health":"true","reason":""}'),
        ("/livez", ALONE, TIMED_OUT, 200, "ok\n"),
        ("/livez?verbose", FULL, {}, 200, "[+]serializable_read ok\nok\n"),
        ("/readyz", FULL, {}, 200, "ok\n"),
        ("/readyz", WELL, TIMED_OUT, 503, "[+]data_corruption ok\n[+]serializable_read ok\n"
         "[-]linearizable_read failed: etcdserver: request timed out\n[+]non_learner ok\n\n"),
        ("/readyz?exclude=linearizable_read", WELL, TIMED_OUT, 200, "ok\n"),
        ("/readyz/linearizable_read", WELL, TIMED_OUT, 503, "[-]linearizable_read failed: etcdserver: request timed out\n\n"),
        ("/readyz/data_corruption?verbose", CORRUPT, {}, 503, "[-]data_corruption failed: alarm activated: CORRUPT\n\n"),
        ("/readyz", {"isLearner": True}, LEARNER, 503, "[+]data_corruption ok\n[+]serializable_read ok\n[+]linearizable_read ok\n"
         "[-]non_learner failed: not supported for learner\n\n"),
    ],
)  # fmt: skip
def test_pages(page: str, status: dict[str, Any], read: dict[str, Any] | None, code: int, text: str) -> None:
    async def ask(path: str, document: dict[str, Any]) -> dict[str, Any]:
        if path == "/v3/maintenance/status":
            return status
        if document["serializable"]:
            return {}
        if read is None:
            raise Unavailable("paused")
        return read

    path, _, query = page.partition("?")
    assert run(etcd_health.check(path, query, ask)) == (code, text)


@pytest.mark.parametrize("path", ["/livez/linearizable_read", "/readyz/", "/healthz", "/health/x"])
def test_there_are_no_other_pages(path: str) -> None:
    assert not etcd_health.known(path)
