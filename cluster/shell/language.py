"""The console's language: the part of POSIX shell that people type at a prompt.

In → a line (or several). Out → a ``Script``: and-or lists of pipelines of simple commands, made of words whose parts are
still to be expanded. Words, single and double quotes, backslash, ``$VAR`` ``${VAR}`` ``$(…)`` backticks, pipes, ``&&`` ``||``
``;`` and newlines, redirections, assignments, here-documents, comments.

Errors: ``ShellSyntaxError`` with bash's own words; ``Incomplete`` when more lines are needed (an open quote, a here-document
without its end, a trailing ``|`` or backslash).

Simplified here: no loops, conditionals, functions, subshells in parentheses, background jobs or arithmetic: each
is refused by name. Nothing can run for ever.

Upstream: POSIX.1-2017 Shell Command Language; bash's messages.
"""

from msgspec import Struct


class ShellSyntaxError(Exception):
    """The line makes no sense; the text is what bash would say."""


class Incomplete(Exception):
    """The line isn't finished."""


class Part(Struct, frozen=True):
    """A piece of a word. ``kind``: "text", "variable" (``text`` is its name), "default" (``${A:-word}``: name in ``text``),
    "length" (``${#A}``) or "command" (``script``). Quoted pieces are never split into fields."""

    kind: str
    text: str = ""
    quoted: bool = False
    script: "Script | None" = None


Word = tuple[Part, ...]


class Redirect(Struct, frozen=True):
    """``operator``: "<" ">" ">>" ">&" (``target`` is then a descriptor) or "<<" (``target`` is the text)."""

    descriptor: int
    operator: str
    target: Word


class Command(Struct, frozen=True):
    """A simple command: assignments before it, words, redirections in order."""

    assignments: tuple[tuple[str, Word], ...] = ()
    words: tuple[Word, ...] = ()
    redirects: tuple[Redirect, ...] = ()


class Pipeline(Struct, frozen=True):
    """Commands joined by ``|``; ``connector`` says when it runs: ";" always, "&&" and "||" by the status before it."""

    commands: tuple[Command, ...]
    connector: str = ";"
    negated: bool = False


class Script(Struct, frozen=True):
    """Pipelines in order."""

    pipelines: tuple[Pipeline, ...] = ()


_RESERVED = (
    "if", "then", "elif", "else", "fi", "for", "while", "until", "do", "done", "case", "esac", "select", "function", "{",
    "}", "[[",
)  # fmt: skip
_OPERATORS = ("&&", "||", ";;", "|&", ";", "|", "&", "(", ")", "\n")
_DEPTH = 20


class _Token(Struct):
    """A word, an operator or a redirection operator (with the descriptor written before it)."""

    kind: str
    text: str = ""
    word: Word = ()
    descriptor: int = -1


def parse(text: str, depth: int = 0) -> Script:
    """The whole text as a ``Script``."""
    if depth > _DEPTH:
        raise ShellSyntaxError("bash: command substitution: nested too deeply")
    return _Parser(_Lexer(text, depth).tokens()).script()


class _Lexer:
    def __init__(self, text: str, depth: int) -> None:
        self.text = text
        self.at = 0
        self.depth = depth
        self.waiting: list[tuple[_Token, str, bool, bool]] = []
        """Here-documents whose text starts at the next line: token, delimiter, quoted, strip tabs."""

    def tokens(self) -> list[_Token]:
        found: list[_Token] = []
        while True:
            self._blanks()
            if self.at >= len(self.text):
                break
            char = self.text[self.at]
            if char == "#":
                while self.at < len(self.text) and self.text[self.at] != "\n":
                    self.at += 1
                continue
            operator = next((each for each in _OPERATORS if self.text.startswith(each, self.at)), "")
            if self.text.startswith("&>", self.at):
                operator = ""
            if operator:
                self.at += len(operator)
                found.append(_Token("operator", operator))
                if operator == "\n":
                    self._here_documents()
                continue
            redirect = self._redirect()
            if redirect is not None:
                found.extend(redirect)
                continue
            found.append(_Token("word", word=self._word()))
        if self.waiting:
            raise Incomplete
        return found

    def _blanks(self) -> None:
        while self.at < len(self.text):
            if self.text[self.at] in " \t\r":
                self.at += 1
            elif self.text.startswith("\\\n", self.at):
                self.at += 2
            else:
                return

    def _redirect(self) -> list[_Token] | None:
        start, digits = self.at, ""
        while start < len(self.text) and self.text[start].isdigit():
            digits += self.text[start]
            start += 1
        if self.text.startswith("&>", self.at):
            append = self.text.startswith("&>>", self.at)
            self.at += 3 if append else 2
            target = self._target()
            both = _Token("redirect", ">>" if append else ">", target, 1)
            return [both, _Token("redirect", ">&", (Part("text", "1"),), 2)]
        operator = next(
            (o for o in ("<<<", "<<-", "<<", ">>", ">&", ">|", "<", ">") if self.text.startswith(o, start)), ""
        )
        if not operator:
            return None
        self.at = start + len(operator)
        descriptor = int(digits) if digits else (0 if operator[0] == "<" else 1)
        if descriptor > 2:
            raise ShellSyntaxError(f"bash: {descriptor}: Bad file descriptor")
        target = self._target()
        if operator in ("<<", "<<-"):
            token = _Token("redirect", "<<", (), 0)
            quoted = any(part.quoted for part in target)
            self.waiting.append((token, "".join(part.text for part in target), quoted, operator == "<<-"))
            return [token]
        if operator == "<<<":
            return [_Token("redirect", "<<", (*target, Part("text", "\n", True)), 0)]
        return [_Token("redirect", ">" if operator == ">|" else operator, target, descriptor)]

    def _target(self) -> Word:
        self._blanks()
        if self.at >= len(self.text) or self.text[self.at] == "\n":
            raise ShellSyntaxError("bash: syntax error near unexpected token `newline'")
        operator = next((each for each in _OPERATORS if self.text.startswith(each, self.at)), "")
        if operator:
            raise ShellSyntaxError(f"bash: syntax error near unexpected token `{operator}'")
        return self._word()

    def _here_documents(self) -> None:
        for token, delimiter, quoted, strip in self.waiting:
            lines: list[str] = []
            while True:
                if self.at >= len(self.text):
                    raise Incomplete
                end = self.text.find("\n", self.at)
                line = self.text[self.at :] if end < 0 else self.text[self.at : end]
                self.at = len(self.text) if end < 0 else end + 1
                line = line.lstrip("\t") if strip else line
                if line == delimiter:
                    break
                lines.append(line + "\n")
            body = "".join(lines)
            if quoted:
                token.word = (Part("text", body, True),)
            else:
                token.word = _Lexer(body, self.depth).document()
        self.waiting = []

    def document(self) -> Word:
        """A here-document's text: only ``$``, backticks and backslashes mean something."""
        parts: list[Part] = []
        while self.at < len(self.text):
            self._double_quoted_piece(parts, end="")
        return tuple(parts)

    def _word(self) -> Word:
        parts: list[Part] = []
        text = ""

        def flush() -> None:
            nonlocal text
            if text:
                parts.append(Part("text", text))
                text = ""

        while self.at < len(self.text):
            char = self.text[self.at]
            if char in " \t\r\n;|&<>()":
                break
            if char == "\\":
                if self.at + 1 >= len(self.text):
                    raise Incomplete
                if self.text[self.at + 1] != "\n":
                    flush()
                    parts.append(Part("text", self.text[self.at + 1], True))
                self.at += 2
            elif char == "'":
                flush()
                end = self.text.find("'", self.at + 1)
                if end < 0:
                    raise Incomplete
                parts.append(Part("text", self.text[self.at + 1 : end], True))
                self.at = end + 1
            elif char == '"':
                flush()
                self.at += 1
                parts.append(Part("text", "", True))
                while True:
                    if self.at >= len(self.text):
                        raise Incomplete
                    if self.text[self.at] == '"':
                        self.at += 1
                        break
                    self._double_quoted_piece(parts, end='"')
            elif char in "$`":
                part = self._expansion(quoted=False)
                if part is None:
                    text += char
                    self.at += 1
                else:
                    flush()
                    parts.append(part)
            else:
                text += char
                self.at += 1
        flush()
        return tuple(parts)

    def _double_quoted_piece(self, parts: list[Part], end: str) -> None:
        char = self.text[self.at]
        if char in "$`":
            part = self._expansion(quoted=True)
            if part is not None:
                parts.append(part)
                return
        elif char == "\\" and self.at + 1 < len(self.text) and self.text[self.at + 1] in f"$`\\\n{end}":
            if self.text[self.at + 1] != "\n":
                parts.append(Part("text", self.text[self.at + 1], True))
            self.at += 2
            return
        start = self.at
        self.at += 1
        while self.at < len(self.text) and self.text[self.at] not in f"$`\\{end}":
            self.at += 1
        parts.append(Part("text", self.text[start : self.at], True))

    def _expansion(self, quoted: bool) -> Part | None:
        """At a ``$`` or a backtick: what it stands for, or None if it is just that character."""
        text, at = self.text, self.at
        if text[at] == "`":
            end = at + 1
            while end < len(text) and text[end] != "`":
                end += 2 if text[end] == "\\" else 1
            if end >= len(text):
                raise Incomplete
            inner = text[at + 1 : end].replace("\\`", "`").replace("\\\\", "\\").replace("\\$", "$")
            self.at = end + 1
            return Part("command", "", quoted, parse(inner, self.depth + 1))
        following = text[at + 1 : at + 2]
        if text.startswith("$((", at):
            raise ShellSyntaxError("bash: arithmetic expansion $((…)) is not supported in this console")
        if following == "(":
            end = self._closing(at + 2)
            self.at = end + 1
            return Part("command", "", quoted, parse(text[at + 2 : end], self.depth + 1))
        if following == "{":
            end = self._closing_brace(at + 2)
            self.at = end + 1
            return self._braced(text[at + 2 : end], quoted)
        if following in ("?", "$", "#", "0", "@", "*") and following:
            self.at += 2
            return Part("variable", following, quoted)
        if following.isalpha() or following == "_":
            end = at + 1
            while end < len(text) and (text[end].isalnum() or text[end] == "_"):
                end += 1
            self.at = end
            return Part("variable", text[at + 1 : end], quoted)
        return None

    def _braced(self, inner: str, quoted: bool) -> Part:
        if inner.startswith("#") and is_name(inner[1:]):
            return Part("length", inner[1:], quoted)
        name, dash, default = inner.partition(":-")
        if dash and is_name(name):
            if self.depth >= _DEPTH:
                raise ShellSyntaxError("bash: expansion nested too deeply")
            return Part(
                "default",
                name,
                quoted,
                Script((Pipeline((Command(words=(_Lexer(default, self.depth + 1).document(),)),)),)),
            )
        if not (is_name(inner) or inner in ("?", "$", "#")):
            raise ShellSyntaxError(f"bash: ${{{inner}}}: bad substitution")
        return Part("variable", inner, quoted)

    def _closing(self, at: int) -> int:
        """Where the ``)`` that ends ``$(`` stands."""
        text, level = self.text, 1
        while at < len(text):
            char = text[at]
            if char == "\\":
                at += 1
            elif char == "'":
                at = text.find("'", at + 1)
                if at < 0:
                    raise Incomplete
            elif char == '"':
                at = self._closing_quote(at + 1)
            elif char == "(":
                level += 1
            elif char == ")":
                level -= 1
                if level == 0:
                    return at
            at += 1
        raise Incomplete

    def _closing_brace(self, at: int) -> int:
        level = 1
        while at < len(self.text):
            if self.text.startswith("${", at):
                level += 1
            elif self.text[at] == "}":
                level -= 1
                if level == 0:
                    return at
            at += 1
        raise Incomplete

    def _closing_quote(self, at: int) -> int:
        while at < len(self.text):
            char = self.text[at]
            if char == "\\":
                at += 1
            elif char == '"':
                return at
            elif self.text.startswith("$(", at):
                at = self._closing(at + 2)
            at += 1
        raise Incomplete


def is_name(text: str) -> bool:
    """Whether ``text`` can name a variable."""
    return text.isidentifier() and text.isascii()


class _Parser:
    def __init__(self, tokens: list[_Token]) -> None:
        self.tokens = tokens
        self.at = 0

    def _peek(self) -> _Token | None:
        return self.tokens[self.at] if self.at < len(self.tokens) else None

    def _operator(self, *texts: str) -> str:
        token = self._peek()
        if token is not None and token.kind == "operator" and token.text in texts:
            self.at += 1
            return token.text
        return ""

    def script(self) -> Script:
        found: list[Pipeline] = []
        connector = ";"
        while True:
            while self._operator("\n"):
                pass
            token = self._peek()
            if token is None:
                if connector in ("&&", "||"):
                    raise Incomplete
                return Script(tuple(found))
            found.append(self._pipeline(connector))
            connector = self._operator("&&", "||", ";", "\n")
            if not connector:
                token = self._peek()
                if token is None:
                    return Script(tuple(found))
                self._unexpected(token)
            connector = ";" if connector == "\n" else connector

    def _unexpected(self, token: _Token) -> None:
        if token.text == "&":
            raise ShellSyntaxError("bash: background jobs (&) are not supported in this console")
        if token.text == "(":
            raise ShellSyntaxError("bash: subshells in parentheses are not supported in this console")
        shown = "newline" if token.text == "\n" else token.text
        raise ShellSyntaxError(f"bash: syntax error near unexpected token `{shown}'")

    def _pipeline(self, connector: str) -> Pipeline:
        negated = False
        token = self._peek()
        if token is not None and token.kind == "word" and token.word == (Part("text", "!"),):
            negated = True
            self.at += 1
        commands = [self._command()]
        while True:
            pipe = self._operator("|", "|&")
            if not pipe:
                return Pipeline(tuple(commands), connector, negated)
            if pipe == "|&":
                last = commands[-1]
                both = Redirect(2, ">&", (Part("text", "1"),))
                commands[-1] = Command(last.assignments, last.words, (*last.redirects, both))
            while self._operator("\n"):
                pass
            if self._peek() is None:
                raise Incomplete
            commands.append(self._command())

    def _command(self) -> Command:
        assignments: list[tuple[str, Word]] = []
        words: list[Word] = []
        redirects: list[Redirect] = []
        while True:
            token = self._peek()
            if token is None or token.kind == "operator":
                break
            self.at += 1
            if token.kind == "redirect":
                redirects.append(Redirect(token.descriptor, token.text, token.word))
                continue
            assignment = None if words else _assignment(token.word)
            if assignment is not None:
                assignments.append(assignment)
                continue
            if not words and len(token.word) == 1 and not token.word[0].quoted and token.word[0].text in _RESERVED:
                raise ShellSyntaxError(f"bash: `{token.word[0].text}' is not supported in this console")
            words.append(token.word)
        if not (assignments or words or redirects):
            token = self._peek()
            if token is None:
                raise Incomplete
            self._unexpected(token)
        return Command(tuple(assignments), tuple(words), tuple(redirects))


def _assignment(word: Word) -> tuple[str, Word] | None:
    """``NAME=value`` at the head of a command."""
    if not word or word[0].kind != "text" or word[0].quoted:
        return None
    name, equals, rest = word[0].text.partition("=")
    if not equals or not is_name(name):
        return None
    first = (Part("text", rest),) if rest else ()
    return name, (*first, *word[1:])
