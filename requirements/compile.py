"""Resolve the development requirements for every supported Python and platform, with hashes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
COOLDOWN = "14 days"
"""A release that was bad or hostile is mostly found within days; mirrors need hours."""
TABLES = {
    "bootstrap": "uv",
    "dev": None,
    "mlflow": "mlflow",
    "deploy": "ansible-core kubernetes-validate",
}
"""File to requirement; ``dev`` is pyproject.toml, those after it tests/engines/tools.py."""


def compile_table(name: str, requirement: str | None) -> None:
    """Write ``requirements/NAME.txt``; without a requirement, from pyproject.toml's own groups."""
    source = ["pyproject.toml", "--group", "dev"] if requirement is None else ["-"]
    subprocess.run(
        [
            sys.executable, "-m", "uv", "pip", "compile", "-q", *source,
            "--universal", "--python-version", "3.10", "--generate-hashes", "--no-annotate",
            "--no-emit-index-url", "--no-emit-find-links", "--upgrade",
            "--exclude-newer", COOLDOWN,
            "--custom-compile-command", "make requirements",
            "--output-file", f"requirements/{name}.txt",
        ],
        cwd=HERE.parent,
        input="\n".join((requirement or "").split()),
        text=True,
        check=True,
    )  # fmt: skip


if __name__ == "__main__":
    for table, requirement in TABLES.items():
        compile_table(table, requirement)
