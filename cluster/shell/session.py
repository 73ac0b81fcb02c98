"""A console session: what a terminal remembers between lines. Plain data.

Variables, which of them are exported, the virtual files, the last status, the history, and what kubectl keeps in its
cache folder. ``Files`` is the view commands have of the files: names are like paths, contents are texts (bytes that are no
UTF-8 travel as surrogate escapes), sizes are limited.
"""

from fnmatch import fnmatchcase
from typing import Any

from msgspec import Struct, field

HOME = "/root"
KUBECONFIG = f"{HOME}/.kube/config"
MAX_FILE = 1 << 20
MAX_FILES = 200
MAX_TOTAL = 4 << 20
MAX_BYTES = 16 << 20
"""Of what is no text (snapshots), in one file and in all."""
MAX_HISTORY = 500


class Session(Struct):
    """One terminal."""

    env: dict[str, str] = field(default_factory=dict)
    exported: dict[str, bool] = field(default_factory=dict)
    files: dict[str, str | bytes] = field(default_factory=dict)
    status: int = 0
    history: list[str] = field(default_factory=list)
    cache: dict[str, Any] = field(default_factory=dict)
    """kubectl's discovery cache: documents, replaced whole."""
    host: str = ""
    """The node one is logged in on (``ssh``); "": the desk."""

    def copy(self) -> "Session":
        """One that can change without this one changing (values are immutable or never changed in place)."""
        return Session(
            dict(self.env),
            dict(self.exported),
            dict(self.files),
            self.status,
            list(self.history),
            dict(self.cache),
            self.host,
        )


def fresh(kubeconfig: str) -> Session:
    """A terminal just opened."""
    env = {"HOME": HOME, "PWD": HOME, "USER": "root", "SHELL": "/bin/bash", "PATH": "/usr/local/bin:/usr/bin:/bin"}
    return Session(env=env, exported=dict.fromkeys(env, True), files={KUBECONFIG: kubeconfig})


class FileError(Exception):
    """An operation on a virtual file failed; the text is libc's (``No such file or directory``)."""


def _fits(part: str, pattern: str) -> bool:
    return fnmatchcase(part, pattern) and (part[:1] != "." or pattern[:1] == ".")


class Files:
    """Files by name: the session's own, or those of the host one is logged in on."""

    def __init__(self, files: dict[str, str | bytes]) -> None:
        self._files = files

    def all(self) -> dict[str, str | bytes]:
        """Every file by its absolute name."""
        return self._files

    @staticmethod
    def path(name: str) -> str:
        """The absolute name."""
        if name == "~" or name.startswith("~/"):
            name = HOME + name[1:]
        parts: list[str] = []
        for part in (name if name.startswith("/") else f"{HOME}/{name}").split("/"):
            if part == "..":
                parts = parts[:-1]
            elif part not in ("", "."):
                parts.append(part)
        return "/" + "/".join(parts)

    def exists(self, name: str) -> bool:
        """Whether there is such a file."""
        return self.path(name) in self._files

    def is_folder(self, name: str) -> bool:
        """Whether files are below that name."""
        path = self.path(name).rstrip("/") + "/"
        return path in ("/", f"{HOME}/", "/tmp/") or any(each.startswith(path) for each in self._files)

    def read(self, name: str) -> str:
        """The content."""
        path = self.path(name)
        if path == "/dev/null":
            return ""
        if path not in self._files:
            raise FileError("Is a directory" if self.is_folder(name) else "No such file or directory")
        content = self._files[path]
        return content if isinstance(content, str) else content.decode("utf-8", "surrogateescape")

    def read_bytes(self, name: str) -> bytes:
        """The content as bytes."""
        content = self._files.get(self.path(name))
        return content if isinstance(content, bytes) else self.read(name).encode("utf-8", "surrogateescape")

    def write_bytes(self, name: str, data: bytes) -> None:
        """Replace the content by bytes, which stay bytes unless they are text."""
        try:
            self.write(name, data.decode())
        except UnicodeDecodeError:
            self._put(name, data)

    def size(self, name: str) -> int:
        """Bytes of the content."""
        content = self._files[self.path(name)]
        return len(content) if isinstance(content, bytes) else len(content.encode("utf-8", "surrogateescape"))

    def write(self, name: str, text: str, *, append: bool = False) -> None:
        """Replace or extend the content."""
        path = self.path(name)
        if path == "/dev/null":
            return
        if path.startswith(("/dev/", "/proc/", "/sys/")):
            raise FileError("Permission denied")
        if self.is_folder(name):
            raise FileError("Is a directory")
        content = self.read(path) + text if append and path in self._files else text
        try:
            content.encode()
        except UnicodeEncodeError:
            self._put(path, content.encode("utf-8", "surrogateescape"))
        else:
            self._put(path, content)

    def _put(self, name: str, content: str | bytes) -> None:
        path, kind = self.path(name), type(content)
        if path.startswith(("/dev/", "/proc/", "/sys/")):
            raise FileError("Permission denied")
        if self.is_folder(path):
            raise FileError("Is a directory")
        total = sum(len(each) for name, each in self._files.items() if type(each) is kind and name != path) + len(
            content
        )
        if len(content) > (MAX_FILE if kind is str else MAX_BYTES):
            raise FileError("File too large")
        if total > (MAX_TOTAL if kind is str else self.most_bytes) or (
            path not in self._files and len(self._files) >= MAX_FILES
        ):
            raise FileError("No space left on device")
        self._files[path] = content

    most_bytes = MAX_BYTES

    def remove(self, name: str) -> None:
        """Delete it."""
        path = self.path(name)
        if path not in self._files:
            raise FileError("Is a directory" if self.is_folder(name) else "No such file or directory")
        del self._files[path]

    def matching(self, pattern: str) -> list[str]:
        """The files and folders that a pattern (``*``, ``?``, ``[…]``) means, as they would be typed; none: the pattern stays as it is."""
        wanted = self.path(pattern).split("/")
        known = {
            "/".join(path.split("/")[: len(wanted)]): None for path in self._files if path.count("/") >= len(wanted) - 1
        }
        found = sorted(name for name in known if all(map(_fits, name.split("/"), wanted)))
        return found if pattern.startswith("/") else [name.removeprefix(f"{HOME}/") for name in found]

    def below(self, name: str) -> list[str]:
        """What ``ls`` shows of a folder: names of files and folders directly in it, sorted."""
        prefix = self.path(name).rstrip("/") + "/"
        found = {each[len(prefix) :].split("/")[0]: True for each in self._files if each.startswith(prefix)}
        return sorted(found)
