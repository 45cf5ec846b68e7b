"""A second process compiles what the first one will import late, and nothing else."""

from __future__ import annotations

import os
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from samovar.env.compiling import compiled_beside
from samovar.env.interpreters import Interpreter, probe


@pytest.fixture
def interpreter(tmp_path: Path) -> Interpreter:
    for package in ("sklearn", "pandas"):
        (tmp_path / package).mkdir()
        (tmp_path / package / "__init__.py").write_text("from pathlib import Path\n")
    started = "(Path(__file__).parent / 'started').touch()\n"
    with (tmp_path / "pandas" / "__init__.py").open("a") as file:
        file.write(started)
    return replace(probe(Path(sys.executable)), purelib=tmp_path)


def variables(interpreter: Interpreter) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    return {**kept, "PYTHONPATH": str(interpreter.purelib)}


def test_bytecode_lies_where_the_first_import_finds_it(interpreter: Interpreter) -> None:
    pandas = interpreter.purelib / "pandas"
    with compiled_beside(interpreter, variables(interpreter)):
        until = time.monotonic() + 60
        while not (pandas / "started").exists() and time.monotonic() < until:
            time.sleep(0.02)
    assert [path.suffix for path in (pandas / "__pycache__").iterdir()] == [".pyc"]
    assert not (interpreter.purelib / "sklearn" / "__pycache__").exists()


def test_nothing_is_started_where_it_is_compiled_or_absent(interpreter: Interpreter) -> None:
    pandas = interpreter.purelib / "pandas"
    (pandas / "__pycache__").mkdir()
    with compiled_beside(interpreter, variables(interpreter)):
        time.sleep(0.3)
    assert not (pandas / "started").exists()
    (interpreter.purelib / "sklearn").rename(interpreter.purelib / "other")
    (pandas / "__pycache__").rmdir()
    with compiled_beside(interpreter, variables(interpreter)):
        time.sleep(0.3)
    assert not (pandas / "started").exists()
