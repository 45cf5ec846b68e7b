"""What several files of integration tests share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from cli import copy_example, samovar

if TYPE_CHECKING:
    from pathlib import Path

    from engines.docker import DockerEngine

BOTH = ("--platform", "linux/amd64", "--platform", "linux/arm64")


class BuiltExample(NamedTuple):
    """The example, packed and built for both platforms in a home of its own."""

    project: Path
    home: Path
    document: dict[str, Any]


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> BuiltExample:
    """Pack and build the example once; nobody changes its folder or takes its name."""
    base = tmp_path_factory.mktemp("built")
    project, home = copy_example(base / "web"), base / "home"
    samovar("init", "--yes", cwd=project, SAMOVAR_HOME=home)
    samovar("pack", cwd=project, SAMOVAR_HOME=home)
    answer = samovar("build", *BOTH, "--json", cwd=project, SAMOVAR_HOME=home, DOCKER_HOST="none")
    return BuiltExample(project, home, answer.json)


@pytest.fixture(scope="session")
def loaded(built: BuiltExample, docker_engine: DockerEngine) -> dict[str, Any]:
    """Hand the example's image to the engine, as ``titanic``."""
    return samovar(
        "build", "titanic", "--load", "--json",
        SAMOVAR_HOME=built.home, DOCKER_HOST=docker_engine.host,
    ).json  # fmt: skip
