"""Who may run a cluster: a lease in Redis with a fencing token.

The token is ``<runner>/<number>``; the number only grows, and every commit checks the whole token, so a runner that slept
through the end of its lease (a stopped process, a long pause) can't write over its successor.
A runner that is started again under the same name takes its own lease back at once: its supervisor has seen the first one die.

Upstream idea: M. Kleppmann, "How to do distributed locking" (2016).
"""

from explainer.runs import keys, resp

LEASE_MS = 8_000

TAKE = """
local held = redis.call('GET', KEYS[1])
if held and string.sub(held, 1, #ARGV[1] + 1) ~= ARGV[1] .. '/' then return false end
local token = ARGV[1] .. '/' .. redis.call('INCR', KEYS[2])
redis.call('SET', KEYS[1], token, 'PX', ARGV[2])
return token
"""
RENEW = """
local held = redis.call('GET', KEYS[1])
if held and held ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
"""
DROP = "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0"


def take(link: resp.Link, cluster: str, runner: str) -> str | None:
    """The token of a fresh lease, or None while somebody else holds it."""
    token = link.call("EVAL", TAKE, 2, keys.lease(cluster), keys.fence(cluster), runner, LEASE_MS)
    return token.decode() if token else None


def renew(link: resp.Link, cluster: str, token: str) -> bool:
    """Hold it for another ``LEASE_MS``; False: it is somebody else's by now. (An expired one that nobody took is renewed.)"""
    return link.call("EVAL", RENEW, 1, keys.lease(cluster), token, LEASE_MS) == 1


def drop(link: resp.Link, cluster: str, token: str) -> None:
    """Give it back."""
    link.call("EVAL", DROP, 1, keys.lease(cluster), token)
