"""Fixtures for every test: the engines, and a home that is nobody's."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from collections.abc import Iterator

# A busy machine is no failure: nothing here asserts a time.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")

# Whoever starts the tests in the background may have them ignore Ctrl-C; what they start must not.
signal.signal(signal.SIGINT, signal.default_int_handler)

# Folders as users have them, with tests of their own.
collect_ignore = ["projects", "data"]

pytest_plugins = [
    "engines.browser",
    "engines.docker",
    "engines.kubectl",
    "engines.node",
    "engines.registry",
    "engines.ssh",
    "engines.tools",
    "engines.ray_cluster",  # after the one that it uses
    "engines.web",
]


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Name cases of bytes by their argument: content may differ between the processes of one session."""
    return argname if isinstance(val, bytes) and len(val) > 16 else None


def _settle(tmp_path_factory: pytest.TempPathFactory, patch: pytest.MonkeyPatch) -> None:
    home = tmp_path_factory.mktemp("home")
    patch.setenv("SAMOVAR_HOME", str(home / "samovar"))
    patch.setenv("DOCKER_CONFIG", str(home / "docker"))
    for name in ("SAMOVAR_OFFLINE", "SAMOVAR_DEBUG", "NO_COLOR", "MLFLOW_TRACKING_URI"):
        patch.delenv(name, raising=False)


@pytest.fixture(scope="session", autouse=True)
def _home_of_the_session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep fixtures of the session out of the store and credentials of whoever runs them."""
    with pytest.MonkeyPatch.context() as patch:
        _settle(tmp_path_factory, patch)
        yield


@pytest.fixture(autouse=True)
def _home_of_the_test(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Give every test an empty store."""
    _settle(tmp_path_factory, monkeypatch)
