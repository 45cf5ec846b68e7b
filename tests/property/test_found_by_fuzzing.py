"""What fuzzing found once is read or refused, and quickly."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fuzz.models import DATA
from fuzz.targets import TARGETS

if TYPE_CHECKING:
    from pathlib import Path

FOUND = sorted(path for path in (DATA / "fuzz").glob("*/*"))


@pytest.mark.parametrize("path", FOUND, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_it_is_read_or_refused(path: Path) -> None:
    assert FOUND
    TARGETS[path.parent.name].run(path.read_bytes())


@pytest.mark.parametrize("name", TARGETS)
def test_the_files_to_begin_with_are_read(name: str) -> None:
    seeds = list(TARGETS[name].seeds())
    for seed in seeds:
        TARGETS[name].run(seed)
    assert seeds
