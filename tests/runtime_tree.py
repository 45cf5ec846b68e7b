"""A runtime's folder made from the source tree, and bundles to run in it, for tests."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import signal
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

import samovar

if TYPE_CHECKING:
    from collections.abc import Iterator

SOURCE = Path(samovar.__file__).parent


def make_runtime(folder: Path) -> Path:
    """Copy the runtime's modules into a folder, with ``boot/boot.py`` beside them.

    Its dependencies are those of the interpreter that runs the tests.
    """
    package = folder / "samovar"
    ignore = shutil.ignore_patterns("__pycache__")
    for room in ("core", "runtime"):
        shutil.copytree(SOURCE / room, package / room, ignore=ignore)
    shutil.copy(SOURCE / "errors.py", package / "errors.py")
    (folder / "boot").mkdir()
    shutil.copy(SOURCE / "runtime" / "boot.py", folder / "boot" / "boot.py")
    return folder


def make_bundle(
    folder: Path,
    model: object,
    *,
    method: str = "predict",
    name: str = "iris",
    message: str = "Server is running!",
    app: str | None = None,
    files: dict[str, str] | None = None,
) -> Path:
    """Write an unpacked bundle without signature and receipt."""
    project = folder / "project"
    project.mkdir(parents=True)
    (project / "model.pkl").write_bytes(pickle.dumps(model, protocol=4))
    for path, text in (files or {}).items():
        (project / path).write_text(text, encoding="utf-8")
    document = {
        "samovar": 1,
        "name": name,
        "version": "1.0.0",
        "python": f"{sys.version_info.major}.{sys.version_info.minor}",
        "model": {"path": "model.pkl", "format": "pickle", "method": method, "trusted": []},
        "signature": {"container": "array", "inputs": [], "outputs": []},
        "service": {"app": app, "message": message},
        "files": [],
    }
    (folder / "samovar.json").write_text(json.dumps(document), encoding="utf-8")
    return folder


def run_job(runtime: Path, folder: Path, job: dict[str, Any]) -> dict[str, Any]:
    """Run a verb to its end and give what it answered."""
    result = folder / "result.json"
    result.unlink(missing_ok=True)
    path = folder / "job.json"
    path.write_text(json.dumps({**job, "result": str(result)}), encoding="utf-8")
    done = subprocess.run(
        command(runtime, path),
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
        env=pinned(),
    )
    assert result.exists(), done.stderr
    answer: dict[str, Any] = json.loads(result.read_text(encoding="utf-8"))
    return answer


def record_into(runtime: Path, bundle: Path, rows: list[Any], **options: Any) -> dict[str, Any]:
    """Record a bundle's signature and receipt and write them into it."""
    answer = run_job(
        runtime, bundle.parent, {"verb": "record", "bundle": str(bundle), "rows": rows, **options}
    )
    recorded: dict[str, Any] = answer["ok"]
    document = json.loads((bundle / "samovar.json").read_text(encoding="utf-8"))
    document["signature"] = recorded["signature"]
    (bundle / "samovar.json").write_text(json.dumps(document), encoding="utf-8")
    (bundle / "receipt.json").write_text(json.dumps(recorded["receipt"]), encoding="utf-8")
    return recorded


def command(runtime: Path, job: Path) -> list[str]:
    """Give the command that starts the runtime on a job file."""
    boot = str(runtime / "boot" / "boot.py")
    return [sys.executable, "-X", "utf8", "-s", boot, str(job)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """A server that a test started.

    Parameters
    ----------
    process : Popen
        The command's process.
    url : str
        Where it answers.
    workers : int
        As its ready line says.
    log : Path
        Its stderr.
    grpc : str or None
        Where it answers over gRPC.
    client : httpx.Client
        Keeps connections to it.
    """

    client: httpx.Client
    process: subprocess.Popen[bytes]
    url: str
    workers: int
    log: Path
    grpc: str | None = None

    @property
    def port(self) -> int:
        """The port that it took."""
        return int(self.url.rpartition(":")[2])

    def end(self) -> int:
        """Ask it to stop and give its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=40)


@contextmanager
def serving(
    runtime: Path, bundle: Path, *, keep: tuple[int, ...] = (), **options: Any
) -> Iterator[Service]:
    """Serve a recorded bundle on a free port of loopback; ends the process at the end.

    ``keep`` are descriptors that the server inherits.
    """
    job = {
        "verb": "serve",
        "bundle": str(bundle),
        "name": "iris",
        "digest": "sha256:" + "0" * 64,
        "host": "127.0.0.1",
        "port": 0,
        "workers": 1,
        "ready": "json",
        **options,
    }
    path = bundle.parent / "serve.json"
    path.write_text(json.dumps(job), encoding="utf-8")
    log = bundle.parent / "serve.log"
    with (
        log.open("wb") as stderr,
        subprocess.Popen(
            command(runtime, path),
            stdout=subprocess.PIPE,
            stderr=stderr,
            env=pinned(),
            pass_fds=keep,
        ) as process,
        httpx.Client(timeout=60, trust_env=False, verify=False) as client,
    ):
        assert process.stdout is not None
        try:
            line = process.stdout.readline()
            assert line, log.read_text(encoding="utf-8")
            ready = json.loads(line)
            assert "url" in ready, ready
            yield Service(
                client=client,
                process=process,
                url=ready["url"],
                workers=ready["workers"],
                log=log,
                grpc=ready.get("grpc"),
            )
        finally:
            process.kill()


def pinned() -> dict[str, str]:
    """Give the environment of a child: one thread, as samovar pins it."""
    one = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    return {**os.environ, **one}
