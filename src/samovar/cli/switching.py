"""What ``samovar switch`` does, apart from reading its options."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from samovar.bundle.serve import ServeOptions, prepare_server
from samovar.bundle.service import verify_service
from samovar.cli.starting import engine_image
from samovar.core.reference import Reference
from samovar.deploy.aside import ASIDE
from samovar.deploy.containers import start_container
from samovar.deploy.limits import Limits
from samovar.errors import Unavailable, UserError
from samovar.store.layout import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from samovar.bundle.opened import Bundle
    from samovar.bundle.serve import Server
    from samovar.bundle.verify import Verification
    from samovar.deploy.orders import Orderer
    from samovar.deploy.running import RunFolder, RunState
    from samovar.store.home import Home

    Progress = Callable[[str], None]

DIFFERENT = "DIFFERENT"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What is changed, by whom, and how that is shown.

    Parameters
    ----------
    home : Home
        Has the bundle.
    folder : RunFolder
        Of the run that is changed.
    state : RunState
        What it served when this began.
    orderer : Orderer
        Speaks with its supervisor.
    progress : callable
        Takes what goes on, for people.
    """

    home: Home
    folder: RunFolder
    state: RunState
    orderer: Orderer
    progress: Progress

    def switch(self, name: str, bundle: Bundle) -> Verification:
        """Have a bundle served instead; where its receipt does not hold, nothing changes."""
        if self.state.isolation == "docker":
            return self._roll(name, bundle)
        proven = self._prove(name, bundle, "replica", self.state.doors)
        if proven.verdict != DIFFERENT:
            self.orderer.order("commit")
        return proven

    def put_aside(self, name: str, bundle: Bundle, role: str, share: float) -> Verification:
        """Have a bundle stand aside as a shadow or a canary.

        Raises
        ------
        UserError
            Where the run is of containers.
        """
        if self.state.isolation == "docker":
            raise UserError(
                f"A {role} needs processes; {self.state.id} runs in containers.",
                hint="Run it with --isolation process, or deploy the other bundle beside it.",
                code="no_aside",
            )
        proven = self._prove(name, bundle, role, [None])
        if proven.verdict != DIFFERENT:
            self.orderer.order("aside", role=role, share=share)
        return proven

    def _prove(
        self, name: str, bundle: Bundle, role: str, doors: Sequence[int | None]
    ) -> Verification:
        """Have servers started privately, and replay the receipt on each."""
        prepared = [self._prepare(bundle, door) for door in doors]
        self.progress(f"Starting {name}")
        started = self.orderer.order(
            "start",
            role=role,
            name=name,
            digest=str(bundle.digest),
            servers=[_to_json(server) for server in prepared],
        )
        for url in started["urls"]:
            self.progress(f"Replaying the receipt at {url}")
            proven = verify_service(url, bundle.document, bundle.receipt)
            if proven.verdict == DIFFERENT:
                self.orderer.order("drop")
                break
        return proven

    def _prepare(self, bundle: Bundle, door: int | None) -> Server:
        return prepare_server(
            self.home,
            Store(self.home.store),
            bundle,
            # Clients have this name in their paths.
            name=Reference.parse(self.state.name).name,
            python=None,
            options=ServeOptions(
                port=0,
                as_json=True,
                door=door,
                aside=None if door is None else str(self.folder.path / ASIDE),
            ),
            progress=self.progress,
            owner=self.state.pid,
        )

    def _roll(self, name: str, bundle: Bundle) -> Verification:
        """Replay the receipt in a container of its own; then replace those that answer."""
        if self.state.engine is not None:
            os.environ["DOCKER_HOST"] = self.state.engine
        image = engine_image(self.home, bundle, name, self.progress)
        limits = self.state.replicas[0]["limits"]
        self.progress("Replaying the receipt in a container")
        trial = start_container(
            image,
            f"samovar-{self.state.id}-trial-{os.getpid()}",
            Limits(cpus=limits["cpus"], memory_bytes=limits["memory_bytes"]),
            run=self.state.id,
        )
        try:
            proven = verify_service(f"http://{trial.address}", bundle.document, bundle.receipt)
        finally:
            trial.remove()
        if proven.verdict != DIFFERENT:
            self.progress(f"Replacing {len(self.state.replicas)} containers")
            self.orderer.order("roll", image=image, name=name, digest=str(bundle.digest))
        return proven


def check_changeable(folder: RunFolder, state: RunState) -> None:
    """Refuse a run that cannot be changed while it serves.

    Raises
    ------
    Unavailable
        Where its supervisor is gone, or the platform cannot hand sockets on.
    """
    if not folder.is_held("supervisor"):
        raise Unavailable(
            f"The 'samovar run' of {state.id} died.",
            hint=f"'samovar stop {state.id}' ends what it left; then run it again.",
            code="run_died",
        )
    if state.isolation == "process" and not state.doors:
        raise Unavailable(
            "A service of processes cannot be switched on this system.",
            why="Its sockets cannot be handed from one server to the next.",
            hint="Use --isolation docker, or WSL.",
            code="no_posix",
        )


def _to_json(server: Server) -> dict[str, Any]:
    return {
        "arguments": list(server.arguments),
        "variables": server.variables,
        "folder": None if server.folder is None else str(server.folder),
    }
