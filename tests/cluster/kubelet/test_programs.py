"""The model of what commands do."""

import pytest

from cluster.kubelet.images import malformed, normalized, pull_error
from cluster.kubelet.programs import Surroundings, program, run_once
from cluster.sim import SECOND

BUSYBOX = Surroundings("web", (("WHO", "you"),), "busybox:1.36")


@pytest.mark.parametrize(
    ("command", "seconds", "code", "lines"),
    [
        (["true"], 0, 0, []),
        (["false"], 0, 1, []),
        (["sleep", "90"], 90, 0, []),
        (["sleep", "1.5"], 1, 0, []),
        (["sleep", "infinity"], None, 0, []),
        (["sh", "-c", "echo hello $WHO && exit 3; echo never"], 0, 3, ["hello you"]),
        (["sh", "-c", "false || echo rescued"], 0, 0, ["rescued"]),
        (["sh", "-c", "echo 'a; b' | cat > /dev/null\nsleep 2 # wait"], 2, 0, ["a; b"]),
        (["sh", "-c", "for i in $(seq 1 3); do echo $i; sleep 1; done"], 3, 0, ["1", "2", "3"]),
        (["sh", "-c", "if [ -f /nope ]; then echo yes; else echo no; fi"], 0, 0, ["no"]),
        (["sh", "-c", "until nslookup db; do echo waiting; sleep 2; done; echo up"], 0, 0, ["up"]),
        (["sh", "-c", "frobnicate"], 0, 127, ["sh: frobnicate: not found"]),
        (["sh"], None, 0, []),
    ],
)
def test_commands(command: list[str], seconds: int | None, code: int, lines: list[str]) -> None:
    found = program(command, [], BUSYBOX)
    assert (None if found.ends is None else found.ends // SECOND, found.exit_code) == (seconds, code)
    assert [line for _, line in found.output] == lines


def test_loops_go_on() -> None:
    found = program(["sh", "-c", "while true; do echo tick; sleep 5; done"], [], BUSYBOX)
    assert found.ends is None
    assert [at // SECOND for at, _ in found.output[:4]] == [0, 5, 10, 15]


def test_an_images_own_program_runs_until_stopped_and_hello_world_ends() -> None:
    assert program([], [], Surroundings("a", image="nginx")).ends is None
    assert program([], [], Surroundings("a", image="hello-world")).ends is not None


def test_one_liners_end() -> None:
    perl = program(["perl", "-Mbignum=bpi", "-wle", 'print "pi"'], [], Surroundings("a", image="perl:5.34"))
    assert perl.ends == 3 * SECOND and perl.output[0][1] == "pi"
    assert program(["curl", "http://web"], [], Surroundings("a", image="curlimages/curl")).ends is not None
    assert program(["my-server"], [], Surroundings("a", image="acme/app")).ends is None


def test_a_command_that_is_not_in_a_known_image() -> None:
    assert 'exec: "nope": executable file not found' in program(["nope"], [], BUSYBOX).start_error


def test_exec_sees_the_files_a_script_made() -> None:
    running = program(["sh", "-c", "touch /tmp/a; sleep 30; rm /tmp/a; sleep 600"], [], BUSYBOX)
    assert run_once(["cat", "/tmp/a"], BUSYBOX, running, 10 * SECOND)[1] == 0
    assert run_once(["cat", "/tmp/a"], BUSYBOX, running, 40 * SECOND)[:2] == (
        ["cat: can't open '/tmp/a': No such file or directory"], 1)  # fmt: skip


@pytest.mark.parametrize(
    ("image", "full"),
    [
        ("nginx", "docker.io/library/nginx:latest"),
        ("acme/app:1", "docker.io/acme/app:1"),
        ("registry.k8s.io/pause:3.9", "registry.k8s.io/pause:3.9"),
        ("localhost:5000/x", "localhost:5000/x:latest"),
    ],
)
def test_image_names(image: str, full: str) -> None:
    assert normalized(image) == full and not malformed(image) and not pull_error(image)


def test_images_that_cannot_be() -> None:
    assert "must be lowercase" in malformed("Nginx")
    assert "no such host" in pull_error("registry.invalid/x:1")
    assert "not found" in pull_error("nginx:doesnotexist")
    assert "pull access denied" in pull_error("nonexistent/thing")


@pytest.mark.parametrize(
    ("script", "lines", "code"),
    [
        ("ls", "bin dev etc home lib proc root sys tmp usr var".split(), 0),
        ("ls /etc/", ["hostname", "hosts", "resolv.conf"], 0),
        ("touch /tmp/b /tmp/a; mkdir /tmp/c; ls -l /tmp", ["a", "b", "c"], 0),
        ("touch /data/x; ls /data /data/x; rm /data/x", ["/data/x", "", "/data:", "x"], 0),
        ("ls /none", ["ls: /none: No such file or directory"], 1),
    ],
)
def test_directories_are_listed(script: str, lines: list[str], code: int) -> None:
    ran = program(["sh", "-c", script], [], Surroundings("web", (), "busybox"))
    assert ([line for _, line in ran.output], ran.exit_code) == (lines, code)
