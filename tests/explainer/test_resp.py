"""The Redis protocol, byte by byte."""

import pytest

from explainer.runs.resp import Address, Parser, RedisError, pack

STREAM = b"+OK\r\n:42\r\n$5\r\nhe\r\no\r\n$-1\r\n*-1\r\n*2\r\n$1\r\na\r\n*2\r\n:1\r\n$0\r\n\r\n"
REPLIES = [b"OK", 42, b"he\r\no", None, None, [b"a", [1, b""]]]


def test_pack() -> None:
    assert pack("SET", b"k\r\n", 5) == b"*3\r\n$3\r\nSET\r\n$3\r\nk\r\n\r\n$1\r\n5\r\n"


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_replies_in_pieces_of_any_size(size: int) -> None:
    parser, got = Parser(), []
    for start in range(0, len(STREAM), size):
        got += parser.feed(STREAM[start : start + size])
    assert got == REPLIES


def test_an_error_reply_is_a_value() -> None:
    (error,) = Parser().feed(b"-ERR no\r\n")
    assert isinstance(error, RedisError) and str(error) == "ERR no"


def test_what_is_not_redis_is_refused() -> None:
    with pytest.raises(RedisError, match="Protocol error"):
        Parser().feed(b"HTTP/1.1 400\r\n")


@pytest.mark.parametrize("url", ["", "http://x", "redis", "unix://"])
def test_addresses_that_make_no_sense(url: str) -> None:
    with pytest.raises(ValueError, match="REDIS_URL"):
        Address(url)


def test_addresses() -> None:
    assert Address("unix:///tmp/a%20b.sock").path == "/tmp/a b.sock"
    address = Address("redis://:p%40ss@host:7000/3")
    assert (address.host, address.port, address.hello) == ("host", 7000, [("AUTH", "p@ss"), ("SELECT", "3")])
