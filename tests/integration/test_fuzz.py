"""atheris finds no bytes that make a reader fail, hang or fill the memory.

Each reader for two seconds; ``make fuzz SECONDS=600`` looks longer. What is found becomes a file in
``tests/data/fuzz``, and with it a case of ``tests/property/test_found_by_fuzzing.py``.
"""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from engines.processes import unavailable
from engines.tools import ROOT, Tool, tool
from fuzz.targets import TARGETS

if TYPE_CHECKING:
    from pathlib import Path

SECONDS = int(os.environ.get("SAMOVAR_FUZZ_SECONDS", "2"))
# More than any reader may take, and its libraries, and what atheris keeps.
MEGABYTES = 1024


@pytest.fixture(scope="module")
def fuzzer() -> Tool:
    if sys.platform != "linux" or sys.version_info < (3, 11):
        unavailable("atheris has wheels for Python 3.11 and newer on Linux; run it there.")
    return tool("fuzz")


@pytest.mark.engine
@pytest.mark.timeout(120 + 2 * SECONDS)
@pytest.mark.parametrize("target", TARGETS)
def test_a_reader_refuses_what_it_cannot_read(target: str, fuzzer: Tool, tmp_path: Path) -> None:
    command = [
        fuzzer.python, "-m", "fuzz", target, tmp_path / "corpus",
        f"-max_total_time={SECONDS}", "-timeout=20", f"-rss_limit_mb={MEGABYTES}", "-max_len=8192",
        "-len_control=0",
    ]  # fmt: skip
    paths = os.pathsep.join([str(ROOT / "tests"), str(ROOT / "src")])
    # Unmeasured: lines are counted by the fuzzer itself.
    env = {name: value for name, value in os.environ.items() if "COVERAGE" not in name}
    done = subprocess.run(
        command, cwd=tmp_path, env={**env, "PYTHONPATH": paths}, check=False,
        capture_output=True, text=True, errors="replace",
    )  # fmt: skip
    faults = {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    assert (done.returncode, faults) == (0, {}), done.stdout[-2000:] + done.stderr[-6000:]
