"""Make a ``base.lock`` anew: ``python -m samovar.image.refresh --suite trixie --python 3.13 -o F``.

The archive's ``InRelease`` is verified by ``gpgv`` with Debian's own keyring; the lists of packages
by the digests in it; what a base needs is the closure of `SEEDS` over the lists' dependencies.
"""

from __future__ import annotations

import argparse
import hashlib
import lzma
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Final

from samovar.errors import Damaged, SamovarError, Unavailable
from samovar.image.base import debian_base
from samovar.image.base_lock import BaseLock, LockedDeb
from samovar.image.download import get_bytes
from samovar.image.mirror import archives
from samovar.image.platform import Libc
from samovar.store.home import Home
from samovar.store.layout import Store

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

SEEDS: Final = (
    "base-files", "netbase", "ca-certificates", "tzdata", "libc6", "libstdc++6", "libgcc-s1",
    "libgomp1", "python{minor}-minimal", "libpython{minor}-minimal", "libpython{minor}-stdlib",
)  # fmt: skip
NOT_NEEDED: Final = {
    "debconf": "asks questions while packages are configured; nothing is configured",
    "openssl": "ca-certificates calls it to make hashed links; the bundle is written here",
    "dpkg": "installs packages",
    "awk": "base-files' scripts use it",
    "mawk": "the same",
    "media-types": "the mimetypes module has a table of its own",
    "mime-support": "the same",
    "readline-common": "configuration of a terminal",
    "libreadline8": "interactive use",
    "libreadline8t64": "interactive use",
    "libnsl2": "NIS, removed from Python 3.13",
    "libtirpc3": "the same",
    "libtirpc3t64": "the same",
    "libtirpc-common": "the same",
    "libdb5.3": "the dbm module's oldest back end",
    "libdb5.3t64": "the same",
    "python3-pip": "installs packages",
    "python3.13-venv": "makes environments",
}
ARCHITECTURES: Final = {"linux/amd64": "amd64", "linux/arm64": "arm64"}
_KEYRING: Final = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
_LIST_BYTES: Final = 256 * 1024 * 1024
_RELEASE_BYTES: Final = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class _Stanza:
    """A package in a list, with the archive that has it."""

    archive: str
    fields: dict[str, str]


def main(arguments: list[str] | None = None) -> int:
    """Write the lock that the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m samovar.image.refresh")
    parser.add_argument("--suite", required=True, help="bookworm, trixie, sid, ...")
    parser.add_argument("--python", required=True, help="3.11, ...")
    parser.add_argument("-o", "--output", required=True, type=Path)
    parser.add_argument("--keyring", type=Path, default=_KEYRING)
    options = parser.parse_args(arguments)
    try:
        lock = with_layers(make_lock(options.suite, options.python, keyring=options.keyring))
    except SamovarError as error:
        sys.stderr.write(f"error: {error}\n{error.hint or ''}\n")
        return 3
    options.output.write_text(lock.to_text(), encoding="utf-8")
    return 0


def make_lock(suite: str, minor: str, *, keyring: Path) -> BaseLock:
    """Resolve a base from the archive as it is now.

    Parameters
    ----------
    suite : str
        Of Debian; its security updates are taken too, where it has any.
    minor : str
        Version of Python.
    keyring : Path
        Of the archive's keys.

    Raises
    ------
    Damaged
        Where a signature or a digest does not hold.
    Unavailable
        Where the suite has no such Python, or gpgv or the keyring is missing.
    """
    hosts = archives()
    release = _verified(f"{hosts['debian']}/dists/{suite}", keyring)
    sources = [("debian", f"{hosts['debian']}/dists/{suite}", release)]
    if suite not in {"sid", "unstable"}:
        place = f"{hosts['debian-security']}/dists/{suite}-security"
        sources.append(("debian-security", place, _verified(place, keyring)))
    packages: dict[str, tuple[LockedDeb, ...]] = {}
    libc = None
    for platform, architecture in ARCHITECTURES.items():
        newest = _newest(
            stanza
            for archive, place, signed in sources
            for stanza in _list(archive, place, signed, architecture)
        )
        names = _closure(newest, [seed.format(minor=minor) for seed in SEEDS])
        packages[platform] = tuple(_locked(newest[name]) for name in sorted(names))
        libc = _libc(newest["libc6"].fields["Version"])
    assert libc is not None, "there is an architecture"
    return BaseLock(
        suite=suite,
        release=_field(release, "Version") or suite,
        date=_date(_field(release, "Date")),
        python=minor,
        libc=libc,
        packages=packages,
    )


def with_layers(lock: BaseLock) -> BaseLock:
    """Make a base's layers once, for every platform, and pin what they are."""
    with tempfile.TemporaryDirectory() as folder:
        home = Home(Path(folder))
        store = Store(home.store)
        return replace(
            lock,
            layers={
                platform: tuple(
                    layer.diff_id for layer in debian_base(home, store, lock, platform, _say).layers
                )
                for platform in lock.packages
            },
        )


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


def _verified(place: str, keyring: Path) -> str:
    """Fetch a suite's InRelease and give the text that is signed, and nothing else of it."""
    data = get_bytes([f"{place}/InRelease"], f"InRelease of {place}", limit=_RELEASE_BYTES)
    if not keyring.is_file():
        raise Unavailable(f"There is no keyring {keyring}.", hint="Install debian-archive-keyring.")
    with tempfile.TemporaryDirectory() as folder:
        signed, plain = Path(folder, "InRelease"), Path(folder, "Release")
        signed.write_bytes(data)
        try:
            done = subprocess.run(
                ["gpgv", "--keyring", keyring, "--output", plain, signed],
                capture_output=True,
                text=True,
                check=False,
            )
        except FileNotFoundError:
            raise Unavailable("gpgv is not installed.", hint="apt install gpgv") from None
        if done.returncode != 0:
            raise Damaged(f"The signature of {place} does not hold.", why=done.stderr.strip())
        return plain.read_text(encoding="utf-8")


def _list(archive: str, place: str, signed: str, architecture: str) -> Iterator[_Stanza]:
    path = f"main/binary-{architecture}/Packages.xz"
    section = signed.partition("\nSHA256:\n")[2]
    match = re.search(rf"^ ([0-9a-f]{{64}})\s+(\d+) {re.escape(path)}$", section, re.MULTILINE)
    if match is None:
        raise Damaged(f"{place} signs no {path}.")
    by_hash = f"{place}/main/binary-{architecture}/by-hash/SHA256/{match[1]}"
    data = get_bytes([by_hash, f"{place}/{path}"], path, limit=_LIST_BYTES)
    if hashlib.sha256(data).hexdigest() != match[1]:
        raise Damaged(f"{place}/{path} is not what the archive signed.", hint="Try again later.")
    for text in lzma.decompress(data).decode("utf-8").split("\n\n"):
        fields = dict(
            line.split(": ", 1) for line in text.splitlines() if re.match(r"[A-Za-z0-9-]+: ", line)
        )
        if "Package" in fields:
            yield _Stanza(archive, fields)


def _newest(stanzas: Iterable[_Stanza]) -> dict[str, _Stanza]:
    """Index the lists by name; the later list, of security updates, wins where it is newer."""
    found: dict[str, _Stanza] = {}
    for stanza in stanzas:
        name = stanza.fields["Package"]
        known = found.get(name)
        if known is None or _is_newer(stanza.fields["Version"], known.fields["Version"]):
            found[name] = stanza
    return found


def _is_newer(version: str, than: str) -> bool:
    done = subprocess.run(["dpkg", "--compare-versions", version, "gt", than], check=False)
    return done.returncode == 0


def _closure(known: dict[str, _Stanza], seeds: list[str]) -> set[str]:
    provided: dict[str, list[str]] = {}
    for name, stanza in known.items():
        for item in re.split(r",\s*", stanza.fields.get("Provides", "")):
            provided.setdefault(item.partition(" ")[0], []).append(name)
    waiting, found = list(seeds), set[str]()
    while waiting:
        name = waiting.pop()
        if name in found or name in NOT_NEEDED:
            continue
        if name not in known:
            raise Unavailable(
                f"The suite has no package {name}.", hint="Choose another suite or Python."
            )
        found.add(name)
        fields = known[name].fields
        for clause in re.split(
            r",\s*", f"{fields.get('Pre-Depends', '')}, {fields.get('Depends', '')}"
        ):
            names = [re.split(r"[\s:(]", option.strip())[0] for option in clause.split("|")]
            names = [option for option in names if option]
            if not names or any(option in found or option in NOT_NEEDED for option in names):
                continue
            first = next((option for option in names if option in known), None)
            waiting.append(first or provided.get(names[0], names)[0])
    return found


def _locked(stanza: _Stanza) -> LockedDeb:
    fields = stanza.fields
    name = fields["Package"]
    interpreter = re.match(r"(lib)?python3", name) or name in _ONLY_FOR_PYTHON
    return LockedDeb(
        name=name,
        version=fields["Version"],
        archive=stanza.archive,
        path=fields["Filename"],
        sha256=fields["SHA256"],
        size_bytes=int(fields["Size"]),
        layer="interpreter" if interpreter else "base",
    )


_ONLY_FOR_PYTHON: Final = frozenset({"libexpat1", "libffi8", "libsqlite3-0", "libuuid1"})


def _libc(version: str) -> Libc:
    match = re.match(r"(?:\d+:)?(\d+)\.(\d+)", version)
    if match is None:
        raise Damaged(f"{version!r} is not a version of glibc.")
    return Libc(name="glibc", major=int(match[1]), minor=int(match[2]))


def _field(release: str, name: str) -> str:
    match = re.search(rf"^{name}: (.+)$", release, re.MULTILINE)
    return "" if match is None else match[1].strip()


def _date(text: str) -> str:
    moment = datetime.strptime(text, "%a, %d %b %Y %H:%M:%S UTC").replace(tzinfo=timezone.utc)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


if __name__ == "__main__":
    sys.exit(main())
