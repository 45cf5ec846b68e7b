"""What ``run`` started and has not ended: a folder for each, held by supervisor and replicas.

Who is alive is told by locks, which the system releases when a process dies, and never by a number
that another process may have by now: a run's ``supervisor.lock`` is held by ``samovar run``, and
``replica-N.lock`` by the replica and its workers, which inherit it.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import time
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

from samovar.env.docker import container_log, container_state, docker
from samovar.errors import NotFound, Unavailable, UserError
from samovar.store import locks
from samovar.store.atomic import write_file

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from samovar.store.home import Home

_FOLDER: Final = "running"
_STATE: Final = "state.json"
_SUPERVISOR: Final = "supervisor.lock"
_END_S: Final = 60.0
_POLL_S: Final = 0.1
RUNNING: Final = "running"
DIED: Final = "died"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunState:
    """What a run says of itself in its folder.

    Parameters
    ----------
    id : str
        Of the run.
    name : str
        Of the service: what its first bundle was called.
    bundle, digest : str
        What is served now.
    url : str
        The one address.
    isolation : str
        ``process`` or ``docker``.
    pid : int
        Of the supervisor.
    engine : str or None
        ``DOCKER_HOST`` of the run.
    started : float
        Seconds since the epoch.
    replicas : tuple of dict
        ``{"id", "address", "limits", "number", "private"}``; the ID is a process's number or a
        container's, the number says which of all that the run ever started it is, ``private`` is
        its own URL.
    balancer : int or None
        Process number of the balancer.
    doors : tuple of int
        Descriptors, in the supervisor, of the sockets that outlive replicas.
    others : tuple of dict
        ``{"id", "number"}`` of the processes that come, leave, or stand aside.
    aside : dict or None
        ``{"role", "name", "digest", "share", "id", "number", "private"}`` of a shadow or canary.
    switches : int
        How often another bundle took over.
    """

    id: str
    name: str
    bundle: str
    digest: str
    url: str
    isolation: str
    pid: int
    engine: str | None
    started: float
    replicas: tuple[dict[str, Any], ...]
    balancer: int | None
    doors: tuple[int, ...] = ()
    others: tuple[dict[str, Any], ...] = ()
    aside: dict[str, Any] | None = None
    switches: int = 0


class RunFolder:
    """The folder of one run.

    Parameters
    ----------
    path : Path
        Its last part is the run's ID.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.id = path.name

    @contextmanager
    def held(self) -> Iterator[None]:
        """Be the run's supervisor; its folder is gone afterwards."""
        with locks.exclusive(self.path / _SUPERVISOR):
            try:
                yield
            finally:
                shutil.rmtree(self.path, ignore_errors=True)

    def lock(self, who: str) -> Path:
        """Give the file whose lock says that somebody lives."""
        return self.path / f"{who}.lock"

    def log(self, number: int) -> Path:
        """Give where a replica's words go."""
        return self.path / f"replica-{number}.log"

    @contextmanager
    def lock_of(self, who: str) -> Iterator[int]:
        """Open a lock that a child inherits and holds as long as any process of it lives."""
        handle = os.open(self.lock(who), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            if os.name == "posix":
                import fcntl

                fcntl.flock(handle, fcntl.LOCK_EX)
            yield handle
        finally:
            os.close(handle)

    def is_held(self, who: str) -> bool:
        """Say whether somebody lives who holds a lock."""
        path = self.lock(who)
        if not path.exists():
            return False
        try:
            with locks.shared(path, wait_s=0):
                return False
        except Unavailable:
            return True

    def write(self, state: RunState) -> None:
        """Note what runs."""
        write_file(self.path / _STATE, json.dumps(asdict(state)).encode(), mode=0o600)

    def read(self) -> RunState | None:
        """Read what runs; None where it is not ready yet, or gone."""
        try:
            document = json.loads((self.path / _STATE).read_bytes())
            listed = {name: tuple(document[name]) for name in ("replicas", "doors", "others")}
            return RunState(**{**document, **listed})
        except (OSError, ValueError, TypeError, KeyError):
            return None

    def replica_state(self, state: RunState, replica: dict[str, Any]) -> str:
        """Say whether a replica, or who stands aside, runs or died."""
        if state.isolation == "docker":
            alive = container_state(replica["id"], host=state.engine) == RUNNING
        elif os.name != "posix":
            alive = self.is_held("supervisor")  # locks are not inherited there
        else:
            alive = self.is_held(f"replica-{replica['number']}")
        return RUNNING if alive else DIED

    def words(self, state: RunState, replica: dict[str, Any], tail: int | None) -> list[str]:
        """Give the lines that a replica wrote, or the last ones."""
        if state.isolation == "docker":
            said = container_log(replica["id"], host=state.engine, tail=tail)
        else:
            said = self.log(replica["number"]).read_bytes()
        lines = said.decode("utf-8", "replace").splitlines()
        return lines if tail is None else lines[max(0, len(lines) - tail) :]

    def describe(self, state: RunState) -> dict[str, Any]:
        """Give the object that ``ps`` prints for this run."""
        return {
            "id": self.id,
            "name": state.name,
            "bundle": state.bundle,
            "digest": state.digest,
            "url": state.url,
            "isolation": state.isolation,
            "pid": state.pid,
            "state": RUNNING if self.is_held("supervisor") else DIED,
            "started": state.started,
            "replicas": [
                {**replica, "state": self.replica_state(state, replica)}
                for replica in state.replicas
            ],
            "aside": None
            if state.aside is None
            else {**state.aside, "state": self.replica_state(state, state.aside)},
            "switches": state.switches,
        }


def new_run(home: Home) -> RunFolder:
    """Make the folder of a new run."""
    parent = home.path / _FOLDER
    parent.mkdir(exist_ok=True)
    while True:
        folder = parent / secrets.token_hex(4)
        with suppress(FileExistsError):
            folder.mkdir(mode=0o700)
            return RunFolder(folder)


def runs_of(home: Home) -> list[tuple[RunFolder, RunState]]:
    """List the runs of a home that are ready, or died without being stopped; the oldest first."""
    parent = home.path / _FOLDER
    found = []
    for path in parent.iterdir() if parent.is_dir() else ():
        folder = RunFolder(path)
        state = folder.read()
        if state is not None:
            found.append((folder, state))
    return sorted(found, key=lambda pair: (pair[1].started, pair[1].id))


def find_runs(home: Home, text: str) -> list[tuple[RunFolder, RunState]]:
    """Find runs by ID, by the beginning of one, or by the name of their bundle.

    Raises
    ------
    NotFound
        Where there is none.
    """
    every = runs_of(home)
    found = [pair for pair in every if pair[1].id == text]
    found = found or [pair for pair in every if pair[1].name in {text, f"{text}:latest"}]
    found = found or [pair for pair in every if text and pair[1].id.startswith(text)]
    if not found:
        raise NotFound(
            f"Nothing runs under {text!r}.",
            hint="'samovar ps' lists what runs." if every else "'samovar run' starts something.",
        )
    return found


def find_run(home: Home, text: str | None) -> tuple[RunFolder, RunState]:
    """Find the one run that is meant; None is the only one there is.

    Raises
    ------
    UserError
        Where several are.
    """
    found = runs_of(home) if text is None else find_runs(home, text)
    if len(found) == 1:
        return found[0]
    if not found:
        raise NotFound("Nothing runs.", hint="'samovar run' starts something.")
    listed = ", ".join(state.id for _, state in found)
    raise UserError(f"Which of them is meant? {listed}", hint="Name one by its ID.")


def stop_run(folder: RunFolder, state: RunState) -> None:
    """End a run, letting its replicas answer what they accepted; clean up after a dead one.

    Raises
    ------
    Unavailable
        Where it does not end.
    """
    if folder.is_held("supervisor"):
        with suppress(ProcessLookupError):
            os.kill(state.pid, signal.SIGTERM)
        _wait(lambda: folder.is_held("supervisor"), state)
        return
    for replica in (*state.replicas, *state.others):
        if state.isolation == "docker":
            with suppress(Unavailable):
                docker(["rm", "-f", "-v", replica["id"]], host=state.engine)
        else:
            _end_orphan(folder, f"replica-{replica['number']}", int(replica["id"]), state)
    if state.balancer is not None:
        _end_orphan(folder, "balancer", state.balancer, state)
    shutil.rmtree(folder.path, ignore_errors=True)


def _end_orphan(folder: RunFolder, who: str, process: int, state: RunState) -> None:
    """End a process group whose supervisor is gone; its lock says that the number is still its."""
    if folder.is_held(who):
        with suppress(ProcessLookupError):
            os.killpg(process, signal.SIGTERM)
        _wait(lambda: folder.is_held(who), state)


def _wait(alive: Any, state: RunState) -> None:
    deadline = time.monotonic() + _END_S
    while alive():
        if time.monotonic() > deadline:
            raise Unavailable(
                f"The run {state.id} does not end.",
                why=f"Process {state.pid} was asked to, {_END_S:.0f} s ago.",
                hint=f"End it by 'kill -9 {state.pid}', then stop it once more.",
                code="not_stopped",
            )
        time.sleep(_POLL_S)
