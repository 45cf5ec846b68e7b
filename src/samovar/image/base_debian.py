"""Make a base from Debian packages: no dpkg, no root, no script run, no shell in the result.

Files are taken as they lie in the packages. What packages' scripts would have made and a Python
service needs is written here: the bundle of CA certificates, the links of merged /usr, accounts.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from samovar.core.tar import TarMember
from samovar.errors import Unavailable
from samovar.image.download import Download, fetch_all
from samovar.image.mirror import archives
from samovar.image.paths import USER

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from samovar.image.base_lock import BaseLock
    from samovar.image.deb import DebFile

    Progress = Callable[[str], None]

VERSION: Final = 2
"""Grows with every change to what is taken: cached layers are of one version."""
LAYERS: Final = ("base", "interpreter")
_LEFT_OUT: Final = re.compile(
    r"""
    usr/share/(doc|man|info|locale|lintian|bug|menu|applications|pixmaps|debconf|gcc|gdb)/
    | usr/share/(doc-base|binfmts|python3/debpython|base-files|common-licenses)/
    | usr/share/zoneinfo/right/
    | usr/(bin|sbin|games)/(?!python3)
    | usr/lib/([^/]+/)?(gconv|audit|perl|perl-base|debug)/
    | usr/lib/locale/(?!C\.)
    | usr/lib/python3/dist-packages/.*
    | usr/lib/python3\.\d+/(idlelib|turtledemo|lib2to3|ensurepip|test|tkinter|pydoc_data
        |unittest/test|distutils/tests|ctypes/test)/
    | usr/lib/python3\.\d+/(turtle\.py|lib-dynload/(readline|nis|_dbm|_gdbm|_tkinter|_test\w*
        |_xxtestfuzz|_ctypes_test|xxlimited\w*)\.)
    | usr/lib/(valgrind|systemd|udev|tmpfiles\.d|sysusers\.d|apt|dpkg|pcrlib)/
    | usr/lib/[^/]+/(libdb-|libnss_(?!files|dns)|libBrokenLocale|libmemusage|libpcprofile
        |libthread_db|libc_malloc_debug|libasan|libtsan|libubsan|liblsan)
    | etc/(?!os-release$|ssl/|ssl$|services$|protocols$|debian_version$|nsswitch\.conf$)
    | (var|boot|root|home|proc|sys|dev|media|mnt|opt|run|srv|tmp)/
    | .*\.(pyc|a|la|o)$
    """,
    re.VERBOSE,
)
_CERTIFICATES: Final = "usr/share/ca-certificates/"
_BUNDLE: Final = "etc/ssl/certs/ca-certificates.crt"
_PASSWD: Final = (
    "root:x:0:0:root:/:/sbin/nologin\n"
    f"samovar:x:{USER}:{USER}:samovar:/nonexistent:/sbin/nologin\n"
    "nobody:x:65534:65534:nobody:/nonexistent:/sbin/nologin\n"
)
_GROUP: Final = f"root:x:0:\nsamovar:x:{USER}:\nnogroup:x:65534:\n"
_NSSWITCH: Final = "passwd: files\ngroup: files\nhosts: files dns\nservices: files\n"


def fetch_debs(folder: Path, lock: BaseLock, platform: str, progress: Progress) -> dict[str, Path]:
    """Bring a base's packages into a cache and give their paths by their SHA-256.

    Raises
    ------
    Unavailable
        Where the mirror does not have one any more, saying what to do then.
    """
    wanted = lock.packages[platform]
    hosts = archives() if any(not (folder / deb.sha256).exists() for deb in wanted) else {}
    files = [
        Download(
            name=deb.path.rpartition("/")[2],
            urls=(f"{hosts[deb.archive]}/{deb.path}",) if deb.archive in hosts else (),
            sha256=deb.sha256,
            size_bytes=deb.size_bytes,
        )
        for deb in wanted
    ]
    try:
        paths = fetch_all(folder, files, what="Debian packages", progress=progress)
    except Unavailable as error:
        if error.code != "download_failed":
            raise
        raise Unavailable(
            error.message,
            why=error.why,
            hint="Mirrors drop packages that Debian has superseded. Let SAMOVAR_DEBIAN_MIRROR "
            f"name a snapshot of {lock.date[:10]} or soon after, use a newer samovar, or an image "
            "with --base.",
            code="download_failed",
        ) from error
    return dict(zip([deb.sha256 for deb in wanted], paths, strict=True))


def base_members(
    lock: BaseLock, platform: str, layer: str, debs: dict[str, Path]
) -> list[TarMember]:
    """Give the files of one of the base's layers.

    Parameters
    ----------
    lock : BaseLock
        Names the packages.
    platform : str
        ``linux/amd64``, ...
    layer : str
        One of `LAYERS`.
    debs : dict of str to Path
        The packages by their SHA-256.
    """
    from samovar.image.deb import read_deb

    found: dict[str, DebFile] = {}
    for package in lock.packages[platform]:
        if package.layer == layer:
            for file in read_deb(debs[package.sha256]):
                if _LEFT_OUT.match(file.path) is None:
                    found.setdefault(file.path, file)
    members = [
        TarMember(path=file.path, data=file.data, executable=file.executable, link=file.link)
        for file in found.values()
        if not file.path.startswith(_CERTIFICATES)
    ]
    if layer == "base":
        members += _written(found)
    return members


def _written(found: dict[str, DebFile]) -> list[TarMember]:
    certificates = [
        file.data.rstrip(b"\n") + b"\n"
        for path, file in sorted(found.items())
        if path.startswith(_CERTIFICATES) and path.endswith(".crt")
    ]
    from samovar.image.deb import MERGED

    links = [TarMember(path=name, link=f"usr/{name}") for name in MERGED[:4]]
    folders = ("tmp", "run", "proc", "sys", "dev", "usr/bin", "usr/sbin", "usr/lib64")
    texts = {
        "etc/passwd": _PASSWD.encode(),
        "etc/group": _GROUP.encode(),
        "etc/nsswitch.conf": _NSSWITCH.encode(),
        _BUNDLE: b"".join(certificates),
    }
    return [
        *links,
        *(TarMember(path=name, folder=True) for name in folders if name not in found),
        *(TarMember(path=path, data=data) for path, data in texts.items() if path not in found),
    ]
