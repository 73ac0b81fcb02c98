"""Command lines that the console and a real etcdctl must answer with the same words, and what may differ: numbers that the clock moves, and the client's log."""

import re

LINES = """
put foo bar
put foo bar2 --prev-kv
get foo
get foo -w json
get foo -w fields
get foo -w table
get foo --hex
get nope
get foo --print-value-only
get f --prefix --keys-only -w fields
get foo --rev=100000000
get
get foo --order=foo
get foo --sort-by=foo
get foo --consistency=x
get foo -w xml
get foo --prefix --from-key
put
put foo x --ignore-value
put foo x --lease=zz
put foo x --lease=123
put foo --prev-kv=maybe bar
put k1 v2 --prev-kv -w json
put k1 v3 --prev-kv -w fields
del k1 --prev-kv
del a b --prefix
del foo -w json
del foo -w fields
member list
member list -w table
member list -w json
member list -w fields
member add
member add x --peer-urls=foo
member remove xyz
member remove 123
member update 123 --peer-urls=http://1.1.1.1:2380
endpoint status
endpoint status -w table
endpoint status -w json
endpoint status -w fields
endpoint hashkv -w json
alarm list
lease grant
lease grant 100 -w json
lease grant 60 -w fields
lease revoke 123
lease timetolive 123
lease timetolive 123 -w json
lease list -w json
lease keep-alive 123
lease keep-alive 123 --once
compaction
compaction x
compaction 999999999
defrag
move-leader
move-leader zz
elect
elect e1
elect -l e1 x
lock
lock a b c d
watch
watch a b --prefix
check perf --load=foo
bogus
snapshot save
txn
lock l1 echo held
lease -h
watch -h
put -h
endpoint status -h
check datascale -h
""".strip().splitlines()
TXN = r"""mod("k1") > "0"\n\nget k1\nput a b\n\nget a\n\n"""

_JSON = re.compile(
    r'("(?:revision|mod_revision|create_revision|raftIndex|raftAppliedIndex|hash|dbSize|dbSizeInUse|compact_revision|ID|id|version)":)-?\d+'
)
_FIELDS = re.compile(
    r'("(?:Revision|ModRevision|CreateRevision|RaftIndex|RaftAppliedIndex|DBSize|DBSizeInUse|ID|Version)" : )\d+'
)


_CLIENT_URL = re.compile(r"http://127\.0\.0\.1:\d+|https://172\.18\.\d+\.\d+:2379")


def same_urls(text: str) -> str:
    """Outsiders are told the doors as client URLs, the console the addresses of the simulated network; a table's columns are as wide as those."""
    text = _CLIENT_URL.sub("CLIENT", text)
    if text.startswith("+-"):
        text = "\n".join(re.sub(r"[ -]+", " ", line) for line in text.split("\n"))
    return text


def masked(text: str, endpoint: str) -> str:
    """What is left to compare. 3.4, which Debian has, calls itself so; the console is 3.5."""
    text = same_urls(re.sub(r'\{"level".*\}\n', "", text))
    text = _FIELDS.sub(r"\1N", _JSON.sub(r"\1N", text))
    text = (
        text.replace(endpoint, "ENDPOINT")
        .replace("127.0.0.1:2379", "ENDPOINT")
        .replace("API VERSION:\n\t3.4\n", "API VERSION:\n\t3.5\n")
    )
    text = re.sub(r", [\d.]+ [kM]B, |\| [\d.]+ [kM]B ", ", SIZE, ", text)
    text = re.sub(r'"leases":\[.*\]', '"leases":[…]', text)
    return re.sub(r"\b\d{3,}\b", "N", text)
