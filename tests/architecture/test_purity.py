"""The world stays pure: what ``cluster/`` may import and call, read from its source."""

import ast
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
ALLOWED_OUTSIDE = {"msgspec", "orjson", "yaml", "cryptography", "celpy", "kubernetes_validate", "jinja2"}
IMPURE = {
    "asyncio", "concurrent", "ctypes", "datetime.now", "ftplib", "http", "logging", "multiprocessing", "os", "random",
    "secrets", "select", "selectors", "shutil", "signal", "socket", "socketserver", "ssl", "subprocess", "tempfile",
    "threading", "time", "urllib.request", "uuid", "django", "channels", "redis", "twisted",
}  # fmt: skip
CALLS = {"open", "input", "eval", "exec", "hash", "id", "__import__", "breakpoint", "print"}
READS_PACKAGE_DATA = {"cluster/api/definitions.py"}


def sources():
    return sorted((ROOT / "cluster").rglob("*.py"))


def imports_of(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield node.module or ""


def test_the_world_imports_nothing_that_acts():
    wrong = []
    for path in sources():
        for name in imports_of(ast.parse(path.read_text())):
            top = name.split(".")[0]
            if top == "cluster" or name in ("importlib", "importlib.resources", "pkgutil"):
                continue
            known = top in sys.stdlib_module_names or top in ALLOWED_OUTSIDE
            if top in IMPURE or name in IMPURE or not known:
                wrong.append(f"{path.relative_to(ROOT)}: {name}")
    assert wrong == []


def test_the_world_calls_nothing_that_depends_on_the_machine():
    wrong = []
    for path in sources():
        where = str(path.relative_to(ROOT))
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in CALLS:
                if where not in READS_PACKAGE_DATA:
                    wrong.append(f"{where}:{node.lineno} {node.func.id}()")
    assert wrong == []


def test_files_read_like_a_lesson():
    without = [str(p.relative_to(ROOT)) for p in sources() if not ast.get_docstring(ast.parse(p.read_text()))]
    assert without == []


def test_files_of_a_plug_in_folder_do_not_know_each_other():
    folders = [
        "cluster/apiserver/admission", "cluster/apiserver/authentication", "cluster/controllers",
        "cluster/scheduler/plugins", "cluster/kubeproxy/modes", "cluster/shell/commands",
    ]  # fmt: skip
    shared = {"base", "runtime", "manager", "common", "shared", "plugin"}
    wrong = []
    for folder in folders:
        package = folder.replace("/", ".")
        for path in sorted((ROOT / folder).glob("*.py")):
            if path.stem in shared | {"__init__"}:
                continue
            for name in imports_of(ast.parse(path.read_text())):
                sibling = name.removeprefix(package + ".").split(".")[0]
                if name.startswith(package + ".") and (ROOT / folder / f"{sibling}.py").exists():
                    if sibling not in shared and not sibling.startswith("_"):
                        wrong.append(f"{path.relative_to(ROOT)}: {name}")
    assert wrong == []
