"""The folder outside that hostile archives aim at."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def escape() -> Iterator[Path]:
    """The folder outside that the corpus aims at, watched."""
    path = Path(tempfile.gettempdir()) / "samovar-escape"
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir()
    (path / "precious").write_text("mine")
    yield path
    assert [found.name for found in path.iterdir()] == ["precious"]
    assert (path / "precious").read_text() == "mine"
    assert (path / "precious").stat().st_nlink == 1
    shutil.rmtree(path)
