"""What a lock asks for is remembered for exactly what it was asked of, or asked again."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from samovar.env.interpreters import Interpreter, probe
from samovar.env.remembered import Answer, recall, remember

ANSWER = Answer(key="k" * 32, packages=(("numpy", "2.1.0"), ("pandas", "2.2.2")))


@pytest.fixture(scope="module")
def here() -> Interpreter:
    return probe(Path(sys.executable))


def test_an_answer_is_remembered(tmp_path: Path, here: Interpreter) -> None:
    assert recall(tmp_path, b"lock", here) is None
    remember(tmp_path, b"lock", here, ANSWER)
    assert recall(tmp_path, b"lock", here) == ANSWER


def test_another_lock_or_interpreter_has_another_answer(tmp_path: Path, here: Interpreter) -> None:
    remember(tmp_path, b"lock", here, ANSWER)
    elsewhere = replace(here, markers={**here.markers, "sys_platform": "win32"})
    assert recall(tmp_path, b"lock\n", here) is None
    assert recall(tmp_path, b"lock", replace(here, version="3.9.1")) is None
    assert recall(tmp_path, b"lock", elsewhere) is None


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b'{"key":"k"}', b'{"key":"k","packages":[1]}']
)
def test_an_answer_that_is_broken_is_none(
    content: bytes, tmp_path: Path, here: Interpreter
) -> None:
    remember(tmp_path, b"lock", here, ANSWER)
    (file,) = tmp_path.iterdir()
    file.write_bytes(content)
    assert recall(tmp_path, b"lock", here) is None


def test_where_nothing_can_be_written_nothing_is_remembered(
    tmp_path: Path, here: Interpreter
) -> None:
    (tmp_path / "envs").write_bytes(b"a file, not a folder")
    remember(tmp_path / "envs", b"lock", here, ANSWER)
    assert recall(tmp_path / "envs", b"lock", here) is None
