"""Write an image's configuration.

References
----------
OCI image specification, config.md and annotations.md; Docker's image specification v1.2 for
``Healthcheck``, which the OCI lacks and readers pass over.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, Final

from samovar import __version__
from samovar.core import layout
from samovar.core.canonical import canonical_json
from samovar.errors import UserError
from samovar.image.paths import BUNDLE, GRPC_PORT, PORT, PYTHON, RUNTIME, START, USER, VENV

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from samovar.bundle.opened import Bundle
    from samovar.image.base import Base
    from samovar.image.made import Layer

ENTRYPOINT: Final = (PYTHON, "-X", "utf8", "-s", f"/{RUNTIME}/boot/boot.py", START)
_PATH: Final = f"/{VENV}/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# What would otherwise differ from the environment that the receipt was recorded in.
VARIABLES: Final = {
    "LANG": "C.UTF-8",
    "LC_ALL": "C.UTF-8",
    "TZ": "UTC",
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONHASHSEED": "0",
    "PYTHONUNBUFFERED": "1",
    "VIRTUAL_ENV": f"/{VENV}",
}
_SECOND: Final = 1_000_000_000
_HEALTH: Final = (
    "import socket,sys;"
    f"s=socket.create_connection(('127.0.0.1',{PORT}),3);"
    "s.sendall(b'GET /v2/health/ready HTTP/1.1\\r\\nHost: localhost\\r\\n'"
    "b'Connection: close\\r\\n\\r\\n');"
    "sys.exit(b' 200 ' not in s.recv(64))"
)
HEALTH_COMMAND: Final = (PYTHON, "-I", "-S", "-c", _HEALTH)
BUNDLE_DIGEST: Final = "dev.samovar.bundle.digest"
VERSION: Final = "dev.samovar.version"
BASE_NAME: Final = "org.opencontainers.image.base.name"
BASE_DIGEST: Final = "org.opencontainers.image.base.digest"


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """What annotations and labels say of an image.

    Parameters
    ----------
    annotations : mapping of str to str
        ``org.opencontainers.image.*`` and the bundle's digest.
    created : str
        RFC 3339; the same for every build of the same content.
    """

    annotations: Mapping[str, str]
    created: str


def created_time() -> str:
    """Give ``SOURCE_DATE_EPOCH`` as a date, else the epoch.

    Raises
    ------
    UserError
        Where the variable is not a number of seconds.
    """
    text = os.environ.get("SOURCE_DATE_EPOCH", "0")
    if not text.isdigit():
        raise UserError(f"SOURCE_DATE_EPOCH is {text!r}, which is not a number of seconds.")
    return datetime.fromtimestamp(int(text), timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def describe_image(bundle: Bundle, base: Base | None) -> Described:
    """Give the annotations of an image, or of the index where there is no one base."""
    created = created_time()
    annotations = {
        "org.opencontainers.image.title": bundle.document.name,
        "org.opencontainers.image.version": bundle.document.version,
        "org.opencontainers.image.created": created,
        BUNDLE_DIGEST: str(bundle.digest),
        VERSION: __version__,
    }
    if base is not None:
        annotations[BASE_NAME] = base.name
        annotations[BASE_DIGEST] = str(base.digest)
    return Described(annotations=annotations, created=created)


def image_config(
    *, base: Base, platform: str, layers: Sequence[Layer], described: Described, grpc: bool = False
) -> bytes:
    """Give the configuration; its digest is the image's ID, which no compressor can change."""
    operating_system, _, architecture = platform.partition("/")
    return canonical_json(
        {
            "created": described.created,
            "os": operating_system,
            "architecture": architecture,
            "config": _execution(base, described, ports_of(grpc=grpc)),
            "rootfs": {"type": "layers", "diff_ids": [str(layer.diff_id) for layer in layers]},
            "history": [
                {"created": described.created, "created_by": f"samovar build: {layer.what}"}
                for layer in layers
            ],
        }
    )


def ports_of(*, grpc: bool) -> tuple[int, ...]:
    """Give the ports that an image exposes."""
    return (PORT, GRPC_PORT) if grpc else (PORT,)


def _execution(base: Base, described: Described, ports: Sequence[int]) -> dict[str, Any]:
    variables = {
        **base.variables,
        **VARIABLES,
        "PATH": _path(base),
        layout.DIGEST_VARIABLE: described.annotations[BUNDLE_DIGEST],
    }
    return {
        "User": f"{USER}:{USER}",
        "ExposedPorts": {f"{port}/tcp": {} for port in ports},
        "Env": [f"{name}={value}" for name, value in sorted(variables.items())],
        "Entrypoint": list(ENTRYPOINT),
        "WorkingDir": f"{BUNDLE}/project",
        "Labels": dict(described.annotations),
        "StopSignal": "SIGTERM",
        "Healthcheck": {
            "Test": ["CMD", *HEALTH_COMMAND],
            "Interval": 10 * _SECOND,
            "Timeout": 5 * _SECOND,
            "StartPeriod": 60 * _SECOND,
            "Retries": 3,
        },
    }


def _path(base: Base) -> str:
    own = base.variables.get("PATH")
    return _PATH if own is None else f"/{VENV}/bin:{own}"
