"""The text tools, against what coreutils, grep and sed print."""

import pytest

from tests.cluster.shell.harness import Shell

TEXT = "printf 'apple 3\\nBanana 1\\ncherry 2\\napple 3\\n'"


@pytest.mark.parametrize(
    ("line", "stdout", "code"),
    [
        ("echo aGVsbG8= | base64 -d", "hello", 0),
        ("echo -n hello | base64", "aGVsbG8=\n", 0),
        ("echo 'aGVs!' | base64 -d", "hel", 1),
        ("echo aGVsbG8 | base64 -d", "hello", 1),
        (f"{TEXT} | grep -c apple", "2\n", 0),
        (f"{TEXT} | grep -in BANANA", "2:Banana 1\n", 0),
        (f"{TEXT} | grep -v apple", "Banana 1\ncherry 2\n", 0),
        (f"{TEXT} | grep -A1 Ban", "Banana 1\ncherry 2\n", 0),
        (f"{TEXT} | grep -E '^(B|c)'", "Banana 1\ncherry 2\n", 0),
        (f"{TEXT} | grep -o '[0-9]'", "3\n1\n2\n3\n", 0),
        (f"{TEXT} | grep zebra", "", 1),
        (f"{TEXT} | grep -q apple", "", 0),
        ("echo 'a+b' | grep 'a+b'", "a+b\n", 0),
        (f"{TEXT} | head -1", "apple 3\n", 0),
        (f"{TEXT} | head -n -3", "apple 3\n", 0),
        (f"{TEXT} | tail -n 1", "apple 3\n", 0),
        (f"{TEXT} | tail -n +4", "apple 3\n", 0),
        (f"{TEXT} | wc -l", "4\n", 0),
        (f"{TEXT} | wc", "      4       8      34\n", 0),
        (f"{TEXT} | sort -u", "Banana 1\napple 3\ncherry 2\n", 0),
        (f"{TEXT} | sort -k2 -n | cut -d' ' -f1", "Banana\ncherry\napple\napple\n", 0),
        (f"{TEXT} | sort | uniq -c", "      1 Banana 1\n      2 apple 3\n      1 cherry 2\n", 0),
        (f"{TEXT} | cut -c1-3 | head -2", "app\nBan\n", 0),
        ("echo a:b:c | cut -d: -f2-", "b:c\n", 0),
        ("echo Hello | tr a-z A-Z", "HELLO\n", 0),
        ("echo 'a  b' | tr -s ' ' ','", "a,b\n", 0),
        ("echo a1b2 | tr -d '[:digit:]'", "ab\n", 0),
        (f"{TEXT} | sed 's/apple/pear/; 2d'", "pear 3\ncherry 2\npear 3\n", 0),
        (f"{TEXT} | sed -n '/Ban/,$p'", "Banana 1\ncherry 2\napple 3\n", 0),
        (f"{TEXT} | sed '$d' | tail -1", "cherry 2\n", 0),
        ("echo a/b | sed 's#/#-#g'", "a-b\n", 0),
        ("echo abc | sed -E 's/(a)(b)/\\2\\1/'", "bac\n", 0),
        ("seq 2 2 6", "2\n4\n6\n", 0),
        ("printf '%05d|%-4s|%x\\n' 42 ab 255", "00042|ab  |ff\n", 0),
        ("echo -e 'a\\tb'; echo -n x", "a\tb\nx", 0),
        ("echo data | tee a > /dev/null; cp a b; mv b c; rm a; ls; cat c", "c\ndata\n", 0),
        ("date -u +%Y", "2026\n", 0),
    ],
)
def test_tool(line: str, stdout: str, code: int) -> None:
    result = Shell().run(line)
    assert (result.stdout, result.code) == (stdout, code), result.stderr


@pytest.mark.parametrize(
    ("line", "stderr"),
    [
        ("cat none", "cat: none: No such file or directory\n"),
        ("rm none", "rm: cannot remove 'none': No such file or directory\n"),
        ("ls none", "ls: cannot access 'none': No such file or directory\n"),
        ("head -z", "head: invalid option -- 'z'\nTry 'head --help' for more information.\n"),
        ("base64 --nope", "base64: unrecognized option '--nope'\nTry 'base64 --help' for more information.\n"),
        ("sleep soon", "sleep: invalid time interval 'soon'\nTry 'sleep --help' for more information.\n"),
        ("sed 'y/a/b/'", "sed: -e expression #1, char 6: unknown command: `y'\n"),
    ],
)
def test_complaints(line: str, stderr: str) -> None:
    result = Shell().run(line)
    assert result.stderr == stderr
    assert result.code


def test_sleep_takes_virtual_time_only() -> None:
    shell = Shell()
    before = shell.now
    assert shell.run("sleep 1m; date +%s").code == 0
    assert shell.now - before >= 60_000_000_000


def test_history_and_clear() -> None:
    shell = Shell()
    shell.run("echo one")
    assert "  echo one\n" in shell.run("history").stdout
    assert shell.run("clear").done.clear


def test_sessions_do_not_share_anything() -> None:
    shell = Shell()
    shell.run("A=1; echo x > f", session="a")
    assert shell.run("echo [$A]; ls", session="b").stdout == "[]\n"
    assert shell.run("echo [$A]; ls", session="a").stdout == "[1]\nf\n"
