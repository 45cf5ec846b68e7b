"""What several files of end-to-end tests share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cli import copy_example, samovar

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="session")
def example_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home that has the example's bundle, as ``titanic``; nobody changes it."""
    base = tmp_path_factory.mktemp("example")
    project = copy_example(base / "web")
    samovar("init", "--yes", cwd=project, SAMOVAR_HOME=base / "home")
    samovar("pack", cwd=project, SAMOVAR_HOME=base / "home")
    return base / "home"
