"""Call uv: find it, give it a clean environment, and turn its words into our errors."""

from __future__ import annotations

import os
import re
import subprocess
from typing import TYPE_CHECKING, Final

from samovar.errors import (
    InvalidRequirements,
    Offline,
    OutOfSpace,
    SamovarError,
    Unavailable,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

# What a user's shell may hold that would change what uv does for us.
_DROPPED: Final = (
    "VIRTUAL_ENV", "CONDA_PREFIX", "UV_PROJECT_ENVIRONMENT", "UV_PYTHON", "UV_RESOLUTION",
    "UV_PRERELEASE", "UV_CONSTRAINT", "UV_OVERRIDE", "UV_BUILD_CONSTRAINT", "UV_EXCLUDE_NEWER",
    "UV_CONFIG_FILE", "UV_SYSTEM_PYTHON", "UV_REQUIRE_HASHES", "UV_LINK_MODE_WARNING",
    "UV_COMPILE_BYTECODE", "UV_CUSTOM_COMPILE_COMMAND", "UV_NO_PROGRESS",
)  # fmt: skip
_UNREACHABLE: Final = (
    "error sending request", "dns error", "connect error", "connection refused", "failed to fetch",
    "timed out",
)  # fmt: skip
_TAIL: Final = 3000
_NOISE: Final = re.compile(r"^\s*(?:warning|Resolved|Prepared|Using|Creating|Activate)\b", re.I)


def uv_binary() -> str:
    """Give the path of the uv that samovar's own environment has, else the one on PATH.

    Raises
    ------
    Unavailable
        Where there is none.
    """
    import shutil

    try:
        from uv import find_uv_bin

        return str(find_uv_bin())
    except (ImportError, FileNotFoundError):
        found = shutil.which("uv")
    if found is None:
        raise Unavailable("uv is not installed.", hint="pip install uv", code="no_uv")
    return found


def run_uv(
    arguments: Sequence[str],
    *,
    offline: bool,
    folder: Path | None = None,
    variables: Mapping[str, str] | None = None,
    text: str | None = None,
) -> str:
    """Run uv and give what it printed on stdout.

    Parameters
    ----------
    arguments : sequence of str
        Without the program.
    offline : bool
        Open no connection.
    folder : Path, optional
        Where it runs.
    variables : mapping of str to str, optional
        Set in its environment besides the caller's own.
    text : str, optional
        What it reads on stdin.

    Raises
    ------
    SamovarError
        What uv said, as one of ours.
    """
    environment = {name: value for name, value in os.environ.items() if name not in _DROPPED}
    environment.update(UV_NO_PROGRESS="1", NO_COLOR="1", UV_PYTHON_DOWNLOADS="never")
    # The machine's own certificates, as pip and curl use them: companies have their own.
    environment.setdefault("UV_SYSTEM_CERTS", "1")
    environment.update(variables or {})
    command = [uv_binary(), *arguments, *(["--offline"] if offline else [])]
    ended = subprocess.run(
        command,
        cwd=folder,
        env=environment,
        input=text,
        stdin=subprocess.DEVNULL if text is None else None,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    if ended.returncode != 0:
        raise _error(ended.stderr, offline=offline)
    return ended.stdout


def _error(said: str, *, offline: bool) -> SamovarError:
    """Find out what kind of failure uv describes; its own words are kept as the reason."""
    words = "\n".join(line for line in said.splitlines() if line.strip() and not _NOISE.match(line))
    why = _redact(words[-_TAIL:].strip())
    low = words.lower()
    if "no space left" in low:
        return OutOfSpace("There is no space left for the packages.", why=why, hint="Free some.")
    if offline and ("network was disabled" in low or "offline" in low or "not found in the" in low):
        return Offline(
            "Packages are missing here, and connections are switched off.",
            why=why,
            hint="Run once without --offline, so that the cache has them.",
        )
    if "yanked" in low and "no solution" in low:
        return InvalidRequirements(
            "A requirement asks for a version that was withdrawn (yanked).",
            why=why,
            hint="Ask for another version.",
            code="yanked",
        )
    if "no solution found" in low or "unsatisfiable" in low or "because" in low:
        return InvalidRequirements(
            "The requirements cannot be satisfied together.",
            why=why,
            hint="Relax one of the requirements that are named above.",
            code="unsatisfiable",
        )
    if "hash mismatch" in low:
        return Unavailable(
            "A downloaded package is not what the lock says.",
            why=why,
            hint="The index gave other bytes; do not install them. Lock again if you trust it.",
            code="hash_mismatch",
        )
    if any(words in low for words in _UNREACHABLE):
        return Unavailable(
            "The package index cannot be reached.",
            why=why,
            hint="Check the connection, the proxy and UV_INDEX_URL.",
            code="index_unreachable",
        )
    if "couldn't parse" in low or "failed to parse" in low or "invalid" in low:
        return InvalidRequirements(
            "A requirement cannot be read.", why=why, hint="Correct it.", code="malformed"
        )
    return Unavailable("uv could not do it.", why=why or None, code="uv")


def _redact(text: str) -> str:
    """Take credentials out of addresses."""
    return re.sub(r"(https?://)[^/\s@]+@", r"\1***@", text)
