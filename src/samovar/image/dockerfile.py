"""Write a Dockerfile that makes an equivalent image, for those who must use ``docker build``.

Equivalent, not the same: pip installs the same locked files, and the same job is started; the base
is another, and no two builds of it have the same digest.
"""

from __future__ import annotations

import json
import shutil
from string import Template
from typing import TYPE_CHECKING, Final

from samovar.core import layout
from samovar.core.platforms import marker_environment
from samovar.env.export import to_requirements
from samovar.env.lock import Lock
from samovar.env.runtime_folder import GRPC_REQUIREMENTS, REQUIREMENTS, copy_code
from samovar.errors import UserError
from samovar.image import config, paths
from samovar.image.manifest import jobs
from samovar.image.platform import own_platform
from samovar.store.atomic import write_file

if TYPE_CHECKING:
    from pathlib import Path

    from samovar.bundle.opened import Bundle

_DOCKERFILE: Final = Template("""\
# $name $version, written by samovar. The image that 'samovar build' makes is smaller, needs no
# Docker, and has the same digest wherever it is built.
#
#   docker build -t $name:$version .
#   docker run --read-only --cap-drop ALL $publish $name:$version
#
# To share it on Docker Hub:
#
#   docker tag $name:$version YOUR-NAME/$name:$version
#   docker push YOUR-NAME/$name:$version

ARG BASE=$base

# 1. The packages, exactly as locked. Nothing of the project is here yet, so that this step is done
#    again only when the lock changes.
FROM $${BASE} AS packages
WORKDIR /build
COPY requirements.txt runtime-requirements.txt ./
${copy_wheels}RUN python3 -m venv --without-pip /$venv \\
 && python3 -m pip --python /$venv/bin/python install --no-cache-dir --no-compile --no-deps \\
      --require-hashes -r requirements.txt \\
 && python3 -m pip install --no-cache-dir --no-compile --no-deps --require-hashes \\
      --target /$runtime -r runtime-requirements.txt

# 2. What runs: packages, runtime, then the project, from what changes rarely to what changes often.
FROM $${BASE}
COPY --from=packages /$venv /$venv
COPY --from=packages /$runtime /$runtime
COPY runtime/ /$runtime/
COPY jobs/ /etc/samovar/
COPY bundle/ $srv/

ENV $variables
WORKDIR $srv/project
USER $user:$user
EXPOSE $ports
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \\
  CMD $health
ENTRYPOINT $entrypoint
""")
_IGNORE: Final = """\
# Only what the Dockerfile copies goes to the engine.
*
!requirements.txt
!runtime-requirements.txt
!runtime
!jobs
!bundle
**/__pycache__
**/*.pyc
"""
_OURS: Final = ("runtime", "jobs", "bundle")


def write_dockerfile(
    bundle: Bundle, unpacked: Path, folder: Path, *, grpc: bool = False
) -> list[str]:
    """Write the Dockerfile, its ``.dockerignore`` and everything it copies.

    Parameters
    ----------
    bundle : Bundle
        What is to run.
    unpacked : Path
        Its files.
    folder : Path
        Where all goes; made where it is absent. What samovar wrote there before is replaced.
    grpc : bool
        Answer over gRPC too.

    Returns
    -------
    list of str
        Paths in the folder, sorted.

    Raises
    ------
    UserError
        Where the folder is a file, or somebody else's Dockerfile stands there.
    """
    _check(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for name in _OURS:
        shutil.rmtree(folder / name, ignore_errors=True)
    shutil.copytree(unpacked, folder / "bundle")
    copy_code(folder / "runtime")
    lock = Lock.from_bytes(bundle.lock)
    environment = marker_environment(own_platform(), bundle.document.python)
    (folder / "jobs").mkdir()
    for path, data in jobs(bundle, lock.packages_for(environment), grpc=grpc).items():
        write_file(folder / "jobs" / path.rpartition("/")[2], data)
    wheels = f"bundle/{layout.WHEELS}" if (unpacked / layout.WHEELS).is_dir() else None
    texts = {
        "Dockerfile": dockerfile(bundle, has_wheels=wheels is not None, grpc=grpc),
        ".dockerignore": _IGNORE,
        "requirements.txt": to_requirements(lock.packages, wheels=wheels),
        "runtime-requirements.txt": "".join(
            path.read_text(encoding="utf-8")
            for path in ((REQUIREMENTS, GRPC_REQUIREMENTS) if grpc else (REQUIREMENTS,))
        ),
    }
    for name, text in texts.items():
        write_file(folder / name, text.encode())
    copied = [path for name in _OURS for path in (folder / name).rglob("*") if path.is_file()]
    return sorted([*texts, *(path.relative_to(folder).as_posix() for path in copied)])


def dockerfile(bundle: Bundle, *, has_wheels: bool, grpc: bool = False) -> str:
    """Give the Dockerfile's text.

    Parameters
    ----------
    bundle : Bundle
        What is to run.
    has_wheels : bool
        Whether wheels travel with it.
    grpc : bool
        Answer over gRPC too.
    """
    document, ports = bundle.document, config.ports_of(grpc=grpc)
    variables = {
        **config.VARIABLES,
        "PATH": f"/{paths.VENV}/bin:$PATH",
        layout.DIGEST_VARIABLE: str(bundle.digest),
    }
    lines = [f'{name}="{value}"' for name, value in sorted(variables.items())]
    return _DOCKERFILE.substitute(
        name=document.name,
        version=document.version,
        base=f"docker.io/library/python:{document.python}-slim",
        copy_wheels=f"COPY bundle/{layout.WHEELS} bundle/{layout.WHEELS}\n" if has_wheels else "",
        venv=paths.VENV,
        runtime=paths.RUNTIME,
        srv=paths.BUNDLE,
        ports=" ".join(map(str, ports)),
        publish=" ".join(f"-p {port}:{port}" for port in ports),
        user=paths.USER,
        variables=" \\\n    ".join(lines),
        health=_exec_form(config.HEALTH_COMMAND),
        entrypoint=_exec_form(config.ENTRYPOINT),
    )


def _exec_form(words: tuple[str, ...]) -> str:
    return json.dumps(list(words))


def _check(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{folder} is not a folder.", hint="Name another one with -o.")
    for name in ("Dockerfile", "requirements.txt"):
        path = folder / name
        known = folder / "runtime-requirements.txt"
        if path.exists() and not known.exists():
            raise UserError(
                f"{path} is there already, and samovar did not write it.",
                hint="Name another folder with -o.",
                code="exists",
            )
