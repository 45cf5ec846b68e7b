"""Where this machine gets Debian's packages from.

``SAMOVAR_DEBIAN_MIRROR`` names the archive (the folder that has ``dists`` and ``pool``); without it
the machine's own apt sources are read. The archive of security updates is the one beside it, or
what ``SAMOVAR_DEBIAN_SECURITY_MIRROR`` says. Whatever comes is checked against a digest, so a
mirror is trusted with nothing.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Final

from samovar.errors import Unavailable

VARIABLE: Final = "SAMOVAR_DEBIAN_MIRROR"
SECURITY_VARIABLE: Final = "SAMOVAR_DEBIAN_SECURITY_MIRROR"
_APT: Final = Path("/etc/apt")
_URI: Final = re.compile(r"https?://[^\s\]]+?/(debian|debian-security)/?(?=\s|$)")


def archives(apt: Path = _APT) -> dict[str, str]:
    """Give the addresses of the archives ``debian`` and ``debian-security``.

    Parameters
    ----------
    apt : Path
        Folder of apt's configuration.

    Raises
    ------
    Unavailable
        Where nothing says which mirror this machine uses.
    """
    found = _of_apt(apt)
    named = os.environ.get(VARIABLE)
    if named:
        found["debian"] = named.rstrip("/")
        found["debian-security"] = re.sub(r"/debian(/|$)", r"/debian-security\1", found["debian"])
    if os.environ.get(SECURITY_VARIABLE):
        found["debian-security"] = os.environ[SECURITY_VARIABLE].rstrip("/")
    if "debian" not in found:
        raise Unavailable(
            "It is not known where this machine gets Debian's packages from.",
            why=f"{VARIABLE} is not set, and {apt} names no Debian archive.",
            hint=f"Set {VARIABLE} to a mirror of Debian, http://HOST/debian (Debian lists its "
            "mirrors at www.debian.org/mirror/list), or use --base with an image.",
            code="no_mirror",
        )
    found.setdefault("debian-security", f"{found['debian']}-security")
    return found


def _of_apt(apt: Path) -> dict[str, str]:
    found: dict[str, str] = {}
    files = [apt / "sources.list", *sorted((apt / "sources.list.d").glob("*"))]
    for file in files:
        if file.suffix not in {".list", ".sources"} or not file.is_file():
            continue
        for line in file.read_text(encoding="utf-8", errors="replace").splitlines():
            match = None if line.lstrip().startswith("#") else _URI.search(line)
            if match is not None:
                found.setdefault(match[1], match[0].strip().rstrip("/"))
    return found
