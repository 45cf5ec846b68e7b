"""The doors of the Makefile for systems without make: ``python -m nox -s test``.

Sessions run in ``.venv``, which ``setup`` makes with hashes checked, as ``make setup`` does.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import nox

nox.needs_version = ">=2024.10.9"
nox.options.default_venv_backend = "none"
nox.options.sessions = ["lint", "test"]

ROOT = Path(__file__).resolve().parent
BIN = ROOT / ".venv" / ("Scripts" if os.name == "nt" else "bin")
READY = ROOT / ".venv" / ".ready"
INPUTS = ("requirements/bootstrap.txt", "requirements/dev.txt", "pyproject.toml")


def _python() -> str:
    return str(BIN / ("python.exe" if os.name == "nt" else "python"))


def _run(session: nox.Session, *command: str) -> None:
    session.run(_python(), *command, external=True)


def _is_ready() -> bool:
    if not READY.exists():
        return False
    made = READY.stat().st_mtime
    return all((ROOT / name).stat().st_mtime <= made for name in INPUTS)


@nox.session
def setup(session: nox.Session) -> None:
    """Make .venv with the samovar command; quick when nothing changed."""
    if _is_ready():
        return
    if not Path(_python()).exists():
        session.run(sys.executable, "-m", "venv", ".venv", external=True)
    hashed = ("--require-hashes", "-r")
    _run(session, "-m", "pip", "install", "-q", *hashed, INPUTS[0])
    install = ("-m", "uv", "pip", "install", "-q", "--python", _python())
    _run(session, *install, *hashed, INPUTS[1])
    _run(session, *install, "--no-deps", "--no-build-isolation", "-e", ".")
    # Byte code of what a command imports: where Python may not write it, each start would compile.
    imported = "import samovar.cli.application, samovar.registry.sending, samovar.image.assemble"
    session.run(_python(), "-c", imported, external=True, env={"PYTHONDONTWRITEBYTECODE": ""})
    _run(session, "-m", "compileall", "-q", "src/samovar")
    READY.touch()


@nox.session(requires=["setup"])
def demo(session: nox.Session) -> None:
    """Tell the main job on examples/web as a story."""
    _run(session, "examples/demo.py")


@nox.session(requires=["setup"])
def test(session: nox.Session) -> None:
    """Run every test; core is covered to the last branch."""
    in_two = ("-n", "2", "--dist", "loadfile")
    _run(session, "-m", "pytest", *in_two, *session.posargs)
    _run(session, "-m", "coverage", "erase")
    _run(session, "-m", "coverage", "run", "-m", "pytest", "-q", "tests/unit", "tests/property")
    _run(session, "-m", "coverage", "combine", "-q")
    _run(session, "-m", "coverage", "report", "--include=*/samovar/core/*", "--fail-under=100")


@nox.session(requires=["setup"])
def lint(session: nox.Session) -> None:
    """Run ruff, mypy --strict and the import rules."""
    _run(session, "-m", "ruff", "check", ".")
    _run(session, "-m", "ruff", "format", "--check", ".")
    _run(session, "-m", "mypy")
    session.run(str(BIN / "lint-imports"), external=True)


@nox.session(requires=["setup"])
def bench(session: nox.Session) -> None:
    """Run the benchmarks, or those named after ``--``."""
    _run(session, "-m", "benchmarks", *session.posargs)


@nox.session(requires=["setup"])
def requirements(session: nox.Session) -> None:
    """Resolve requirements/*.txt again from pyproject.toml."""
    _run(session, "requirements/compile.py")


@nox.session
def clean(_session: nox.Session) -> None:
    """Remove what the doors made."""
    for name in (".venv", ".tools", ".mypy_cache", ".pytest_cache", ".ruff_cache", ".hypothesis"):
        shutil.rmtree(ROOT / name, ignore_errors=True)
