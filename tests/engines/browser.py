"""Headless Chromium: a page as a browser sees it."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from engines.processes import need

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-dev-shm-usage", "--hide-scrollbars",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Chromium:
    """A browser with a profile of its own."""

    program: str
    profile: Path

    def _run(self, *arguments: str) -> str:
        command = [self.program, *FLAGS, f"--user-data-dir={self.profile}", *arguments]
        done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=120)
        if done.returncode != 0:
            pytest.fail(f"Chromium exited {done.returncode}: {done.stderr[-2000:]}")
        return done.stdout

    def dom(self, url: str, *, after_ms: int = 2000) -> str:
        """Give the page's document after its scripts had that much (virtual) time."""
        return self._run(f"--virtual-time-budget={after_ms}", "--dump-dom", url)

    def screenshot(self, url: str, path: Path, *, width: int = 1280, height: int = 900) -> Path:
        """Write the page as PNG."""
        self._run(f"--window-size={width},{height}", f"--screenshot={path}", url)
        return path


@pytest.fixture
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    """A browser that has seen nothing yet."""
    program = need("chromium", "apt install chromium")
    return Chromium(program=program, profile=tmp_path_factory.mktemp("chromium"))
