"""Stores with something to push, and registries in this process."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from fake_registry import FakeRegistry, serving
from samovar.registry.options import Options
from samovar.store.layout import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

QUICK = Options(backoff_s=0.001, timeout_s=5.0)


@pytest.fixture
def fake() -> Iterator[FakeRegistry]:
    with serving(FakeRegistry()) as registry:
        yield registry


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


@pytest.fixture
def other_store(tmp_path: Path) -> Store:
    return Store(tmp_path / "other")


@pytest.fixture
def docker_config() -> Callable[[dict[str, object]], Path]:
    """Write Docker's config.json where samovar looks for it."""

    def write(document: dict[str, object]) -> Path:
        folder = Path(os.environ["DOCKER_CONFIG"])
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "config.json").write_text(json.dumps(document))
        return folder / "config.json"

    return write


@pytest.fixture
def log_in(docker_config: Callable[[dict[str, object]], Path]) -> Callable[..., None]:
    """Keep credentials as ``docker login`` does."""

    def write(host: str, user: str = "ada", password: str = "s3cret word") -> None:
        auth = base64.b64encode(f"{user}:{password}".encode()).decode()
        docker_config({"auths": {host: {"auth": auth}}})

    return write
