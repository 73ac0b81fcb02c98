"""The shell's language: what bash does with the same lines."""

import pytest

from cluster.shell.language import Incomplete, ShellSyntaxError, parse
from tests.cluster.shell.harness import Shell


@pytest.mark.parametrize(
    ("line", "stdout"),
    [
        ("echo hello   world", "hello world\n"),
        ("echo 'a  $HOME' \"b $HOME\" c\\ d", "a  $HOME b /root c d\n"),
        ("A=1; echo $A ${A}2 ${#A} ${B:-x y}", "1 12 1 x y\n"),
        ('A="x  y"; echo $A "$A"', "x y x  y\n"),
        ("echo $(echo a; echo b) `echo c`", "a b c\n"),
        ('echo "$(echo "in \\"quotes\\"")"', 'in "quotes"\n'),
        ("A=$(echo x=$(echo y)); echo $A", "x=y\n"),
        ("A=1 B=2; export A; env | grep ^[AB]=", "A=1\n"),
        ("X=5 printenv X; echo [$X]", "5\n[]\n"),
        ("false || echo no; true && echo yes; false && echo never", "no\nyes\n"),
        ("false; echo $?; true; echo $?", "1\n0\n"),
        ("! false; echo $?", "0\n"),
        ("echo one # not this", "one\n"),
        ("echo a#b", "a#b\n"),
        ("printf '%s-' a b | tr - _; echo", "a_b_\n"),
        ("echo out > f; echo more >> f; cat < f", "out\nmore\n"),
        ("nope 2>/dev/null; echo $?", "127\n"),
        ("nope > f 2>&1; cat f", "nope: command not found\n"),
        ("nope 2>&1 | wc -l", "1\n"),
        ("cat <<EOF\nHome $HOME \\$x\nEOF", "Home /root $x\n"),
        ("cat <<'EOF'\nHome $HOME\nEOF", "Home $HOME\n"),
        ("cat <<EOF | tr a b\na\nEOF\necho then", "b\nthen\n"),
        ("cat <<< word", "word\n"),
        ("echo a \\\n b", "a b\n"),
        ("A=x; echo '$A'\"$A\"$A", "$Axx\n"),
        ("echo ~ ~/f a~", "/root /root/f a~\n"),
        ("echo $(false); echo $?", "\n0\n"),
        ("A=$(false); echo $?", "1\n"),
        ('echo "" | wc -l; echo $NOPE | wc -c', "1\n1\n"),
        ("echo {a,b} *.txt", "{a,b} *.txt\n"),
    ],
)
def test_lines_print_what_bash_prints(line: str, stdout: str) -> None:
    assert Shell().run(line).stdout == stdout


def test_unknown_commands_end_with_127() -> None:
    result = Shell().run("frobnicate --now")
    assert (result.stdout, result.stderr, result.code) == ("", "frobnicate: command not found\n", 127)


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("echo | | x", "bash: syntax error near unexpected token `|'"),
        ("; echo", "bash: syntax error near unexpected token `;'"),
        ("echo a && && b", "bash: syntax error near unexpected token `&&'"),
        ("echo )", "bash: syntax error near unexpected token `)'"),
        ("echo >", "bash: syntax error near unexpected token `newline'"),
        ("echo ${a b}", "bash: ${a b}: bad substitution"),
        ("for i in 1 2; do echo; done", "bash: `for' is not supported in this console"),
        ("sleep 1 &", "bash: background jobs (&) are not supported in this console"),
    ],
)
def test_nonsense_is_refused_with_2(line: str, text: str) -> None:
    result = Shell().run(line)
    assert (result.stderr, result.code) == (text + "\n", 2)


@pytest.mark.parametrize("text", ["echo 'a", 'echo "a', "cat <<EOF\nx", "echo a |", "echo a &&", "echo $(echo", "a\\"])
def test_unfinished_lines_wait_for_more(text: str) -> None:
    with pytest.raises(Incomplete):
        parse(text)


def test_an_unfinished_line_is_continued_by_the_next() -> None:
    shell = Shell()
    first = shell.run("cat <<EOF | tr a b")
    assert first.done is not None and first.done.more
    assert shell.run("abc").done.more
    assert shell.run("EOF").stdout == "bbc\n"


def test_substitutions_nest_only_so_deep() -> None:
    with pytest.raises(ShellSyntaxError):
        parse("echo " + "$(" * 30 + "echo" + ")" * 30)


def test_output_and_work_are_limited() -> None:
    shell = Shell()
    grow = "; ".join(["echo x > a"] + ["cat a a > b; cat b b > a"] * 30)
    assert "too" in shell.run(grow).stderr
    assert Shell().run("true;" * 600).stderr == "bash: too much work for this console\n"


def test_files_are_limited_and_virtual() -> None:
    shell = Shell()
    assert shell.run("cat /etc/passwd").stderr == "cat: /etc/passwd: No such file or directory\n"
    assert shell.run("echo x > /dev/sda").stderr == "bash: /dev/sda: Permission denied\n"
    assert shell.run("echo hi > notes.txt; ls").stdout == "notes.txt\n"
    assert Shell().run("ls").stdout == ""
