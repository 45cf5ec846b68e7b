"""Call uv: find it, give it a clean environment, and turn its words into our errors."""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import dataclass
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

# Of uv's own variables only these come through: where packages come from and where they are kept.
# The others choose other versions (UV_RESOLUTION), folders, or less care (UV_NO_VERIFY_HASHES).
_KEPT: Final = re.compile(
    r"UV_(?:CACHE_DIR|LINK_MODE|FIND_LINKS|NO_INDEX|DEFAULT_INDEX|(?:EXTRA_)?INDEX(?:_.+)?"
    r"|KEYRING_PROVIDER|CREDENTIALS_DIR|INSECURE_HOST|SYSTEM_CERTS|NATIVE_TLS|HTTP_.+"
    r"|REQUEST_TIMEOUT|CONCURRENT_.+|PYTHON_INSTALL_DIR)"
)
_DROPPED: Final = ("VIRTUAL_ENV", "CONDA_PREFIX", "PYTHONHOME", "PYTHONPATH", "PYTHONWARNINGS")
# Who set up pip for a private index need not set up uv too.
_OF_PIP: Final = (
    ("PIP_INDEX_URL", "UV_DEFAULT_INDEX", ("UV_DEFAULT_INDEX", "UV_INDEX_URL")),
    ("PIP_EXTRA_INDEX_URL", "UV_EXTRA_INDEX_URL", ("UV_EXTRA_INDEX_URL", "UV_INDEX")),
)
INDEXES: Final = ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_INDEX", "UV_EXTRA_INDEX_URL")
"""Variables that name indexes; where one is set, packages come through it."""
YANKED_HINT: Final = (
    "Ask for another version. If it has to be this one, download its wheel ('pip download "
    "--no-deps NAME==VERSION') and name it in the requirements as ./FILE.whl; it travels along."
)
_UNREACHABLE: Final = (
    "error sending request", "dns error", "connect error", "connection refused", "failed to fetch",
    "timed out",
)  # fmt: skip
_NOT_CACHED: Final = re.compile(r"\b([A-Za-z0-9][\w.-]*) was not found in the cache")
_NOT_FOUND: Final = re.compile(r"\b([A-Za-z0-9][\w.-]*) was not found in the package\s+registry\b")
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What uv printed.

    Parameters
    ----------
    stdout : str
        Data.
    stderr : str
        Its words for people; empty where it was told to be quiet.
    """

    stdout: str
    stderr: str


def run_uv(
    arguments: Sequence[str],
    *,
    offline: bool,
    folder: Path | None = None,
    variables: Mapping[str, str] | None = None,
    text: str | None = None,
) -> str:
    """Run uv and give what it printed on stdout; parameters and errors as `ask_uv`."""
    answer = ask_uv(arguments, offline=offline, folder=folder, variables=variables, text=text)
    return answer.stdout


def ask_uv(
    arguments: Sequence[str],
    *,
    offline: bool,
    folder: Path | None = None,
    variables: Mapping[str, str] | None = None,
    text: str | None = None,
) -> Answer:
    """Run uv and give all that it printed.

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
    command = [uv_binary(), *arguments, *(["--offline"] if offline else [])]
    ended = subprocess.run(
        command,
        cwd=folder,
        env={**uv_variables(os.environ), **(variables or {})},
        input=text,
        stdin=subprocess.DEVNULL if text is None else None,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    if ended.returncode != 0:
        raise _error(ended.stderr, offline=offline)
    return Answer(stdout=ended.stdout, stderr=ended.stderr)


def uv_variables(environment: Mapping[str, str]) -> dict[str, str]:
    """Give the environment that uv runs in: the caller's, less what would change its results.

    Indexes, credentials, the cache, proxies and certificates stay.
    """
    kept = {
        name: value
        for name, value in environment.items()
        if name not in _DROPPED and (not name.startswith("UV_") or _KEPT.fullmatch(name))
    }
    for pips, ours, others in _OF_PIP:
        if environment.get(pips) and not any(environment.get(name) for name in others):
            kept[ours] = environment[pips]
    # The machine's own certificates, as pip and curl use them: companies have their own.
    kept.setdefault("UV_SYSTEM_CERTS", "1")
    kept.update(UV_NO_PROGRESS="1", NO_COLOR="1", UV_PYTHON_DOWNLOADS="never")
    return kept


def _error(said: str, *, offline: bool) -> SamovarError:
    """Find out what kind of failure uv describes; its own words are kept as the reason."""
    words = "\n".join(line for line in said.splitlines() if line.strip() and not _NOISE.match(line))
    why = _redact(words[-_TAIL:].strip()).removeprefix("error: ")
    low = words.lower()
    if "no space left" in low:
        return OutOfSpace("There is no space left for the packages.", why=why, hint="Free some.")
    if offline and any(word in low for word in ("network was disabled", "offline", "in the cache")):
        missing = sorted(set(_NOT_CACHED.findall(words)))
        return Offline(
            f"Not in the cache, and connections are switched off: {', '.join(missing)}."
            if missing
            else "Packages are missing here, and connections are switched off.",
            why=why,
            hint="Run once without --offline, so that the cache has them.",
        )
    if "yanked" in low and "no solution" in low:
        return InvalidRequirements(
            "A requirement asks for a version that was withdrawn (yanked).",
            why=why,
            hint=YANKED_HINT,
            code="yanked",
        )
    if "401 unauthorized" in low or "403 forbidden" in low:
        return Unavailable(
            "The package index refuses without credentials, or these.",
            why=why,
            hint="Name the index and its credentials in the environment (UV_INDEX=NAME=URL, "
            "UV_INDEX_NAME_USERNAME, UV_INDEX_NAME_PASSWORD), in ~/.netrc, or in a keyring "
            "(UV_KEYRING_PROVIDER=subprocess).",
            code="index_credentials",
        )
    unknown = sorted(set(_NOT_FOUND.findall(words)))
    if unknown:
        return InvalidRequirements(
            f"The package index has no package {' and none called '.join(unknown)}.",
            why=why,
            hint="Correct the name; if it is on an index of your own, name that one in UV_INDEX; a "
            "package of the project is named by its folder.",
            code="unknown_package",
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
