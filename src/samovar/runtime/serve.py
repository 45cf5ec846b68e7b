"""The verb ``serve``: load the model, take the port, answer until told to stop."""

from __future__ import annotations

import json
import os
import shutil
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TextIO

from samovar.errors import EnvironmentMismatch, Interrupted, SamovarError, Unavailable
from samovar.runtime import endings
from samovar.runtime.limits import Limits
from samovar.runtime.packages import find_mismatches
from samovar.runtime.sockets import address_of, inherited, listen, listen_unix, reserve

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from samovar.runtime.job import Job
    from samovar.runtime.worker import MakeServer

_MAX_WORKERS: Final = 512


def serve(job: Job) -> int:
    """Serve a bundle's model, or the project's own application, and give the exit code.

    Parameters
    ----------
    job : Job
        Its options: ``name``, ``digest``, ``host``, ``port``, ``unix_socket``, ``workers`` (None
        chooses), ``max_body_bytes``, ``max_queue``, ``access_log``, ``app`` (``module:object``),
        ``door`` (descriptor of a second listening socket), ``lifeline`` (descriptor of a pipe whose
        other end closes when the server is to end), ``ready`` (``json`` or ``text``),
        ``aside`` (None, or the file that says who stands aside),
        ``cleanup`` (folders to delete at the end), ``grpc`` (None, or ``port`` and ``packages``,
        the folder that gRPC is imported from).
    """
    as_json = job.options.get("ready") == "json"
    owner = os.getpid()
    stdout = endings.take_stdout()
    try:
        return _serve(job, Announcement(job=job, as_json=as_json, stdout=stdout))
    except SamovarError as error:
        if os.environ.get("SAMOVAR_DEBUG", "") not in {"", "0"}:
            raise
        return endings.fail(error, as_json=as_json, stdout=stdout)
    except KeyboardInterrupt:
        return endings.fail(Interrupted("Interrupted."), as_json=as_json, stdout=stdout)
    finally:
        if os.getpid() == owner:
            for folder in job.options.get("cleanup", ()):
                shutil.rmtree(folder, ignore_errors=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Announcement:
    """The one line that says that the service is ready.

    Parameters
    ----------
    job : Job
        Names the bundle.
    as_json : bool
        JSON on stdout for programs; else a sentence on stderr for people.
    stdout : TextIO
        The command's own.
    """

    job: Job
    as_json: bool
    stdout: TextIO

    def make(self, url: str, workers: int, grpc_address: str | None = None) -> None:
        """Print it."""
        name, digest = str(self.job.options.get("name", "")), self.job.digest
        if self.as_json:
            document = {
                "url": url,
                "name": name,
                "digest": digest,
                "workers": workers,
                "pid": os.getpid(),
            }
            if grpc_address is not None:
                document["grpc"] = grpc_address
            self.stdout.write(json.dumps(document) + "\n")
            self.stdout.flush()
            return
        processes = "1 process" if workers == 1 else f"{workers} processes"
        page = "" if url.startswith("unix:") else f" Try it at {url}/docs."
        page += "" if grpc_address is None else f" gRPC is at {grpc_address}."
        sys.stderr.write(f"Serving {name} at {url} with {processes}.{page} Ctrl-C stops it.\n")
        sys.stderr.flush()


def _serve(job: Job, announcement: Announcement) -> int:
    mismatches = find_mismatches(job.wanted)
    if mismatches:
        raise EnvironmentMismatch(
            "This environment does not answer the bundle's lock; nothing was loaded.",
            why=endings.mismatch_words(mismatches),
            hint="Serve without --python, or name an interpreter that answers it.",
        )
    if job.options.get("app"):
        from samovar.runtime.application import serve_application

        return serve_application(job, announcement.make)
    return _serve_model(job, announcement.make)


def _serve_model(job: Job, announce: Callable[[str, int, str | None], None]) -> int:
    from samovar.runtime.loaded import Loaded

    # A taken port is told before the model is loaded.
    count = job.options.get("workers")
    sockets = bind(job, 1 if count is None else _checked(count))
    grpc_address, _held = _reserve_grpc(job)
    loaded = Loaded.open(job)
    costs = loaded.measure()
    if count is None:
        from samovar.runtime.quota import usable_cpus

        count = usable_cpus() if costs.is_dear and os.name == "posix" else 1
        if count > 1:
            sockets = _widen(job, sockets, count)
    limits = limits_of(job)
    return run(
        sockets,
        count,
        _factory(job, loaded, limits, count, grpc_address, needs_thread=costs.needs_thread),
        limits=limits,
        job=job,
        announce=lambda url, workers: announce(url, workers, grpc_address),
    )


def _reserve_grpc(job: Job) -> tuple[str | None, socket.socket | None]:
    """Take the port for gRPC, where it is asked for, and let its packages be found."""
    wanted = job.options.get("grpc")
    if wanted is None:
        return None, None
    sys.path.append(str(wanted["packages"]))
    host = str(job.options.get("host", "127.0.0.1"))
    port, held = reserve(host, int(wanted["port"]))
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}", held


def _factory(
    job: Job,
    loaded: Any,
    limits: Limits,
    count: int,
    grpc_address: str | None,
    *,
    needs_thread: bool,
) -> Callable[[int], MakeServer]:
    from samovar.runtime.metrics import SharedCounts
    from samovar.runtime.service import ModelService

    counts = SharedCounts(count)

    def for_worker(number: int) -> MakeServer:
        def make(loop: Any) -> Any:
            executor = None
            if needs_thread:
                from concurrent.futures import ThreadPoolExecutor

                executor = ThreadPoolExecutor(1, thread_name_prefix="model")
            service = ModelService(
                loop,
                loaded,
                limits,
                counts.of_worker(number),
                executor=executor,
                access_log=bool(job.options.get("access_log")),
                grpc_address=grpc_address,
                aside=job.options.get("aside"),
            )
            return service.server

        return make

    return for_worker


def run(
    sockets: list[socket.socket],
    count: int,
    factory: Callable[[int], MakeServer],
    *,
    limits: Limits,
    job: Job,
    announce: Callable[[str, int], None],
) -> int:
    """Run one worker in this process, or several below it."""
    url = address_of(sockets[0], str(job.options.get("host", "127.0.0.1")))
    door = inherited(job.options.get("door"))
    lifeline = job.options.get("lifeline")
    if count == 1:
        from samovar.runtime.worker import run_worker

        return run_worker(
            sockets[0],
            factory(0),
            on_ready=lambda: announce(url, 1),
            parent=lifeline,
            door=door,
        )
    from samovar.runtime.workers import Workers

    drain_s = limits.drain_s + limits.farewell_s
    workers = Workers(sockets, count, factory, drain_s, door, lifeline)
    return workers.run(lambda: announce(url, count))


def bind(job: Job, workers: int) -> list[socket.socket]:
    """Take the port or the Unix socket that the job names."""
    path = job.options.get("unix_socket")
    if path:
        return listen_unix(str(path))
    host, port = str(job.options.get("host", "127.0.0.1")), int(job.options.get("port", 5000))
    return listen(host, port, workers)


def limits_of(job: Job) -> Limits:
    """Give the bounds that the job names."""
    options = job.options
    return Limits(
        max_body_bytes=int(options.get("max_body_bytes", Limits.max_body_bytes)),
        max_queue=int(options.get("max_queue", Limits.max_queue)),
        drain_s=float(options.get("drain_s", Limits.drain_s)),
    )


def _widen(job: Job, sockets: list[socket.socket], count: int) -> list[socket.socket]:
    """Bind again for several workers, on the port that the first socket took."""
    if job.options.get("unix_socket"):
        return sockets
    host, port = str(job.options.get("host", "127.0.0.1")), sockets[0].getsockname()[1]
    sockets[0].close()
    return listen(host, port, count)


def _checked(count: Any) -> int:
    if os.name != "posix":
        return 1
    if not isinstance(count, int) or not 1 <= count <= _MAX_WORKERS:
        raise Unavailable(f"{count!r} is no number of workers.", hint="Use --workers auto.")
    return count
