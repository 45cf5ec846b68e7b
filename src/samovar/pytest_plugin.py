"""The fixture ``samovar_check`` for pytest: a test that fails where a recorded run is not met.

::

    def test_the_model_is_what_we_recorded(samovar_check):
        samovar_check()
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    import os
    from collections.abc import Callable


@pytest.fixture(scope="session")
def samovar_check(pytestconfig: pytest.Config) -> Callable[..., dict[str, Any]]:
    """Give a function that checks a project, by default that of pytest's root folder.

    It takes the folder and further words of ``samovar check``, and gives the command's JSON; where
    the run is not met it fails the test with the sentence that names the cause.
    """
    import json
    import subprocess
    import sys

    def check(folder: str | os.PathLike[str] | None = None, *words: str) -> dict[str, Any]:
        place = pytestconfig.rootpath if folder is None else folder
        ended = subprocess.run(
            [sys.executable, "-m", "samovar", "check", str(place), "--json", *words],
            stdout=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            encoding="utf-8",
            check=False,
        )
        document: dict[str, Any] = json.loads(ended.stdout or "{}")
        if ended.returncode != 0:
            said = document.get("sentence") or document.get("error", {}).get("message")
            pytest.fail(said or f"samovar ended with exit code {ended.returncode}", pytrace=False)
        return document

    return check
