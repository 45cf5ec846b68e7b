"""The layers of packages: the model's own, and the runtime's behind them."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import samovar
from samovar.core import layout as bundle_layout
from samovar.core.canonical import canonical_json
from samovar.core.digest import Digest
from samovar.core.tar import TarMember
from samovar.env.lock import Lock, LockedFile, LockedPackage
from samovar.env.runtime_folder import (
    GRPC_REQUIREMENTS,
    REQUIREMENTS,
    boot_file,
    code_files,
    code_path,
)
from samovar.errors import Damaged
from samovar.image.download import Download, fetch_all
from samovar.image.layer import store_layer
from samovar.image.layer_cache import cached_layer
from samovar.image.paths import BUNDLE, RUNTIME
from samovar.image.plan import Sized, plan_packages
from samovar.image.scheme import Scheme, WheelSource
from samovar.image.wheel_choice import VERSION as CHOICE_VERSION
from samovar.image.wheel_choice import ChosenWheel, choose_wheels
from samovar.store.atomic import write_memory
from samovar.store.home import is_offline

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from concurrent.futures import Executor, Future

    from samovar.image.base import Base
    from samovar.image.made import Layer
    from samovar.store.home import Home
    from samovar.store.layout import Store

    Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wheels:
    """Wheels for one platform, chosen and not yet fetched.

    Parameters
    ----------
    chosen : tuple of ChosenWheel
        One for each package.
    travelling : Path, optional
        Folder of those that travel with the bundle.
    scheme : Scheme
        Where they go.
    """

    chosen: tuple[ChosenWheel, ...]
    travelling: Path | None
    scheme: Scheme

    def fetch(self, home: Home, progress: Progress) -> dict[str, WheelSource]:
        """Bring them here and give them by the name of the distribution.

        Raises
        ------
        Damaged
            Where a wheel is not what the lock says.
        """
        remote = [wheel for wheel in self.chosen if wheel.file.path is None]
        paths = fetch_all(
            home.cache("wheels"),
            [
                Download(
                    name=wheel.file.name,
                    urls=(wheel.file.url,) if wheel.file.url else (),
                    sha256=wheel.file.sha256,
                    size_bytes=wheel.file.size_bytes,
                )
                for wheel in remote
            ],
            what="wheels",
            progress=progress,
        )
        found = {wheel.package.name: path for wheel, path in zip(remote, paths, strict=True)}
        for wheel in self.chosen:
            if wheel.file.path is not None:
                found[wheel.package.name] = self._travelling(wheel)
        return {
            wheel.package.name: WheelSource(
                path=found[wheel.package.name],
                name=wheel.package.name,
                version=wheel.package.version,
                direct_url=direct_url(wheel),
            )
            for wheel in self.chosen
        }

    def _travelling(self, wheel: ChosenWheel) -> Path:
        path = (self.travelling or Path()) / wheel.file.name
        if self.travelling is None or not path.is_file():
            raise Damaged(f"The bundle has no {wheel.file.name}, which its lock names.")
        if Digest.of(path.read_bytes()).hex != wheel.file.sha256:
            raise Damaged(f"The bundle's {wheel.file.name} is not what its lock says.")
        return path


def direct_url(wheel: ChosenWheel) -> dict[str, Any] | None:
    """Give what PEP 610 has recorded of a wheel: nothing where it came from an index."""
    if not wheel.file.direct:
        return None
    url = wheel.file.url or f"file://{BUNDLE}/{bundle_layout.WHEELS}/{wheel.file.name}"
    return {"url": url, "archive_info": {"hashes": {"sha256": wheel.file.sha256}}}


def package_layers(
    home: Home, store: Store, wheels: Wheels, pool: Executor, progress: Progress
) -> list[Future[tuple[Layer, bool]]]:
    """Begin the layers of the model's packages, in the order of the plan."""
    by_name = {wheel.package.name: wheel for wheel in wheels.chosen}
    sized = [
        Sized(
            name=wheel.package.name,
            version=wheel.package.version,
            size_bytes=wheel.file.size_bytes or 0,
        )
        for wheel in wheels.chosen
    ]
    return [
        pool.submit(
            _wheel_layer,
            home,
            store,
            Wheels(
                chosen=tuple(by_name[name] for name in group.names),
                travelling=wheels.travelling,
                scheme=wheels.scheme,
            ),
            group.what,
            progress,
        )
        for group in plan_packages(sized)
    ]


def _wheel_layer(
    home: Home, store: Store, wheels: Wheels, what: str, progress: Progress
) -> tuple[Layer, bool]:
    def make() -> Layer:
        from samovar.image.wheel import wheel_members

        sources = wheels.fetch(home, progress)
        members: dict[str, TarMember] = {}
        for source in sources.values():
            for member in wheel_members(source, wheels.scheme):
                # Two distributions may bring the same file (namespace packages of old); as with
                # pip the last one stands.
                members[member.path] = member
        return store_layer(store, members.values(), what)

    return cached_layer(home, store, _key(wheels), make)


def _key(wheels: Wheels) -> dict[str, Any]:
    return {
        "kind": "wheels",
        "site": wheels.scheme.site,
        "python": wheels.scheme.minor,
        "wheels": [[wheel.file.sha256, direct_url(wheel)] for wheel in wheels.chosen],
    }


def choose_for_base(
    home: Home,
    lock: bytes,
    base: Base,
    platform: str,
    travelling: Path | None,
    build: Callable[[LockedPackage], LockedFile] | None,
) -> Wheels:
    """Choose the model's wheels for a base; ``build`` makes those that are missing.

    Raises
    ------
    Unavailable
        Where a package has no wheel that fits.
    """
    memory = home.cache("image") / f"wheels-{_choice_key(lock, base, platform)}.json"
    chosen = None if build is not None else _remembered(memory)
    if chosen is None:
        chosen = choose_wheels(
            Lock.from_bytes(lock), platform=platform, minor=base.minor, libc=base.libc, build=build
        )
    if build is None:  # what was built here is nobody's choice but of who asked for it
        _remember(memory, chosen)
    return Wheels(
        chosen=chosen,
        travelling=travelling,
        scheme=Scheme.environment(base.minor),
    )


def choose_runtime(home: Home, base: Base, platform: str, *, grpc: bool) -> list[Wheels]:
    """Choose the wheels of the runtime's own pinned packages for a base, and gRPC's if wanted.

    Raises
    ------
    Unavailable
        Where the index has none for it, or is not reached.
    Damaged
        Where the index has another file than samovar pins.
    """
    requirements = (REQUIREMENTS, GRPC_REQUIREMENTS) if grpc else (REQUIREMENTS,)
    return [_choose_pinned(home, base, platform, pinned) for pinned in requirements]


def _choose_pinned(home: Home, base: Base, platform: str, requirements: Path) -> Wheels:
    pinned = requirements.read_bytes()
    memory = home.cache("image") / f"runtime-{_choice_key(pinned, base, platform)}.json"
    chosen = _remembered(memory)
    if chosen is None:
        lock = _runtime_lock(home, base.minor, requirements)
        chosen = choose_wheels(lock, platform=platform, minor=base.minor, libc=base.libc)
        for wheel in chosen:
            if wheel.file.sha256.encode() not in pinned:
                raise Damaged(
                    f"The index offers {wheel.file.name} with another digest than samovar pins.",
                    hint="Do not use this index.",
                    code="hash_mismatch",
                )
        _remember(memory, chosen)
    return Wheels(chosen=chosen, travelling=None, scheme=Scheme.runtime(base.minor))


def runtime_layers(
    home: Home, store: Store, runtime: Sequence[Wheels], pool: Executor, progress: Progress
) -> list[Future[tuple[Layer, bool]]]:
    """Begin the runtime's layers: its packages, then samovar's own code."""
    begun = []
    for wheels in runtime:
        what = ", ".join(f"{wheel.package.name} {wheel.package.version}" for wheel in wheels.chosen)
        begun.append(pool.submit(_wheel_layer, home, store, wheels, f"runtime: {what}", progress))
    return [*begun, pool.submit(_code_layer, home, store)]


def _code_layer(home: Home, store: Store) -> tuple[Layer, bool]:
    members = code_members()
    key = {
        "kind": "runtime code",
        "files": [[member.path, str(Digest.of(member.data))] for member in members],
    }
    what = f"runtime: samovar {samovar.__version__}"
    return cached_layer(home, store, key, lambda: store_layer(store, members, what))


def code_members() -> list[TarMember]:
    """Give samovar's own files that run in an image."""
    members = [
        TarMember(path=f"{RUNTIME}/{code_path(path)}", data=path.read_bytes())
        for path in code_files()
    ]
    boot = TarMember(path=f"{RUNTIME}/boot/boot.py", data=boot_file().read_bytes())
    return [*members, boot]


def _choice_key(pinned: bytes, base: Base, platform: str) -> str:
    """Name a choice of wheels by all that it depends on."""
    facts = f"{CHOICE_VERSION} {base.minor} {platform} {base.libc}"
    return Digest.of(b"\n".join([pinned, facts.encode()])).hex


def _remember(memory: Path, chosen: Sequence[ChosenWheel]) -> None:
    listed = [[wheel.package.name, wheel.package.version, asdict(wheel.file)] for wheel in chosen]
    write_memory(memory, canonical_json(listed))


def _remembered(memory: Path) -> tuple[ChosenWheel, ...] | None:
    """Read which wheels were chosen before; asking uv and reading its answer takes longer."""
    try:
        listed = json.loads(memory.read_bytes())
        return tuple(
            ChosenWheel(
                package=LockedPackage(
                    name=name, version=version, marker=None, wheels=(), sdist=None
                ),
                file=LockedFile(**file),
            )
            for name, version, file in listed
        )
    except (OSError, ValueError, TypeError):
        return None


def _runtime_lock(home: Home, minor: str, requirements: Path) -> Lock:
    """Find where the pinned packages are to be had; the index is the user's own."""
    from samovar.env.uv import run_uv

    with home.workspace() as workspace:
        output = workspace / "pylock.toml"
        run_uv(
            ["pip", "compile", "--universal", "--no-deps", "--no-header", "--no-config", "-q",
             "--format", "pylock.toml", "--python-version", minor, str(requirements),
             "-o", str(output)],
            offline=is_offline(),
        )  # fmt: skip
        return Lock.from_bytes(output.read_bytes())
