"""The agent: brings what is served to what the registry has, and keeps what is good.

One thread does everything but asking the registry. It never waits for long: whatever it waits for,
it looks after the server that is open, restarts it where it died, and listens to signals.
"""

from __future__ import annotations

import json
import os
import tempfile
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from samovar.deploy import commands
from samovar.deploy.agent.crew import AgentCrew
from samovar.deploy.agent.failures import Failed, of_command, of_system
from samovar.deploy.agent.orphans import find_orphans, start_server
from samovar.deploy.agent.records import STATUS, Journal, State, alone, now
from samovar.deploy.agent.watch import Watcher, pause_s
from samovar.deploy.commands import answer_of
from samovar.deploy.doors.door import endpoint_of, take_door
from samovar.errors import Unavailable
from samovar.store.atomic import write_file

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterator

    from samovar.core.digest import Digest
    from samovar.deploy.agent.settings import Settings
    from samovar.deploy.agent.watch import Look
    from samovar.deploy.doors.servers import Server

_TICK_S: Final = 0.1
_READY_WITHIN_S: Final = 600.0


class Stopped(Exception):
    """The agent was told to end."""


class Agent:
    """Follows one reference on this machine.

    Parameters
    ----------
    settings : Settings
        What it is told.
    stop : threading.Event
        Set by signals.
    tell : callable
        Takes sentences for people.
    on_serving : callable
        Called once, with the status, when clients are answered for the first time.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        stop: threading.Event,
        tell: Callable[[str], None],
        on_serving: Callable[[dict[str, Any]], None],
    ) -> None:
        self._settings = settings
        self._stop = stop
        self._journal = Journal(settings.folder, tell)
        self._on_serving = on_serving
        self._state = State.read(settings.folder, str(settings.reference))
        self._look: Look | None = None
        self._failures: dict[Digest, tuple[int, float]] = {}
        self._activity = "waiting"
        self._endpoint: str | None = None
        self._switches = 0
        self._crew = AgentCrew(journal=self._journal)

    def run(self) -> None:
        """Serve and follow until told to stop.

        Raises
        ------
        Unavailable
            Where another agent has the folder, or the port is taken.
        """
        settings = self._settings
        with alone(settings.folder):
            self._crew.orphans = find_orphans(settings)
            port = settings.port
            if self._crew.orphans and not port:
                port = self._state.port
            door = take_door(settings.address, port, beside=bool(self._crew.orphans))
            self._crew.door = door
            self._endpoint = endpoint_of(door)
            self._state.port = door.getsockname()[1]
            watcher = Watcher(
                settings.reference,
                interval_s=settings.interval_s,
                plain_http=settings.plain_http,
            )
            try:
                self._write_status()
                self._resume()
                watcher.start()
                self._follow(watcher)
            except Stopped:
                pass
            finally:
                watcher.stop()
                self._end()

    def status(self) -> dict[str, Any]:
        """Say what is served and how the registry is."""
        server, look = self._crew.open_server, self._look
        return {
            "reference": str(self._settings.reference),
            "state": self._activity,
            "serving": None
            if server is None
            else {"digest": str(server.source), "bundle": server.bundle, "pid": server.pid},
            "endpoint": self._endpoint,
            "pid": os.getpid(),
            "switches": self._switches,
            "restarts": self._crew.restarts,
            "registry": {
                "reachable": None if look is None else look.problem is None,
                "digest": None if look is None or look.digest is None else str(look.digest),
                "problem": None if look is None else look.problem,
                "failures": 0 if look is None else look.failures,
            },
            "refused": dict(self._state.refused),
            "updated": now(),
        }

    # Following

    def _resume(self) -> None:
        """Serve again what was proven here before, whether or not the registry is there."""
        known = self._state.serving
        if known is None:
            return
        self._journal.say("resuming", f"Serving {known} again.", digest=str(known))
        try:
            self._switch(self._prove_server(known))
        except Failed as failure:
            self._postpone(known, failure)
        except OSError as error:
            self._postpone(known, of_system(error))

    def _follow(self, watcher: Watcher) -> None:
        while True:
            self._wait()
            known = self._state.serving
            if known is not None and self._crew.current is None and self._is_wanted(known):
                self._resume()
            if not watcher.is_alive():
                raise Unavailable("Nobody watches the registry any longer.", code="watcher")
            look = watcher.latest
            if look is None or (look is self._look and not self._is_due(look)):
                continue
            if self._look is None or look.problem != self._look.problem:
                said = look.problem or f"{self._settings.reference} is {look.digest}."
                self._journal.say("registry", said, reachable=look.problem is None)
            self._look = look
            if look.digest is not None and self._is_wanted(look.digest):
                self._converge(look.digest)
            self._write_status()

    def _is_due(self, look: Look) -> bool:
        """Say whether what was postponed may be tried again, though nothing new was heard."""
        return look.digest in self._failures and self._is_wanted(look.digest)

    def _is_wanted(self, digest: Digest) -> bool:
        if digest == self._state.serving and self._crew.current is not None:
            return False
        _, not_before = self._failures.get(digest, (0, 0.0))
        return str(digest) not in self._state.refused and time.monotonic() >= not_before

    def _converge(self, digest: Digest) -> None:
        """Pull, prove, switch; what fails leaves what is served alone."""
        self._journal.say("found", f"{digest} is new.", digest=str(digest))
        self._activity = "proving"
        self._write_status()
        try:
            self._run("pull", self._settings.exactly(digest), *self._how())
            if self._settings.attested:
                # Before anything of it is loaded.
                self._run("verify", self._settings.exactly(digest), "--attested")
            self._run("verify", self._settings.exactly(digest))
            server = self._prove_server(digest)
            # A name keeps it from being collected.
            self._run("tag", self._settings.exactly(digest), self._settings.kept_as)
            self._state.serving = digest
            self._switch(server)
            self._save()
            self._failures.pop(digest, None)
        except Failed as failure:
            self._keep_old(digest, failure)
        except OSError as error:
            self._postpone(digest, of_system(error))
        finally:
            self._activity = "serving" if self._crew.current else "waiting"

    def _keep_old(self, digest: Digest, failure: Failed) -> None:
        if not failure.is_final:
            self._postpone(digest, failure)
            return
        self._state.refused[str(digest)] = failure.why
        self._save()
        kept = "Nothing is served" if self._state.serving is None else "The old one is kept"
        self._journal.say(
            "refused",
            f"{digest} is refused: {failure.why}. {kept}.",
            digest=str(digest),
            why=failure.why,
        )

    def _postpone(self, digest: Digest, failure: Failed) -> None:
        count = self._failures.get(digest, (0, 0.0))[0] + 1
        wait_s = pause_s(self._settings.interval_s, count, 0.0)
        self._failures[digest] = (count, time.monotonic() + wait_s)
        self._journal.say(
            "postponed",
            f"{digest} is not served yet: {failure.why}. It is tried again in {wait_s:.0f} s.",
            digest=str(digest),
            why=failure.why,
        )

    def _prove_server(self, digest: Digest) -> Server:
        """Start a server privately, and replay the receipt on it."""
        assert self._crew.door is not None
        server = start_server(self._settings, digest, self._crew.door)
        self._crew.coming = server
        try:
            deadline = time.monotonic() + _READY_WITHIN_S
            while not server.is_ready():
                if server.has_ended():
                    raise of_command(server.last_words())
                if time.monotonic() > deadline:
                    raise Failed("it was not ready in time", is_final=False)
                self._wait()
            against = self._settings.exactly(digest)
            self._run("verify", str(server.url), "--against", against)
        except BaseException:
            server.kill()
            self._crew.coming = None
            raise
        return server

    def _switch(self, server: Server) -> None:
        self._crew.put_in_front(server)
        self._switches += 1
        self._activity = "serving"
        self._journal.say(
            "serving",
            f"Serving {server.source}.",
            digest=str(server.source),
            bundle=server.bundle,
            pid=server.pid,
        )
        self._write_status()
        if self._switches == 1:
            self._on_serving(self.status())

    # Waiting

    def _wait(self) -> None:
        """Let a moment pass, in which everything that runs is looked after."""
        if self._stop.wait(_TICK_S):
            raise Stopped
        self._crew.look_after(lambda digest, door: start_server(self._settings, digest, door))

    def _run(self, *arguments: str) -> None:
        """Run a command to its end; raise where it does not say yes."""
        with tempfile.TemporaryFile() as output:
            process = commands.start(*arguments, stdout=output)
            try:
                while process.poll() is None:
                    self._wait()
            except BaseException:
                commands.interrupt(process)
                raise
            output.seek(0)
            finished = answer_of(process.returncode, output.read())
        if finished.code != 0:
            raise of_command(finished)

    def _how(self) -> list[str]:
        return ["--plain-http"] if self._settings.plain_http else []

    def _save(self) -> None:
        with self._telling_of_disk():
            self._state.write(self._settings.folder, str(self._settings.reference))

    def _write_status(self) -> None:
        document = json.dumps(self.status(), indent=1) + "\n"
        with self._telling_of_disk():
            write_file(self._settings.folder / STATUS, document.encode())

    @contextmanager
    def _telling_of_disk(self) -> Iterator[None]:
        """Go on where a file cannot be written: a full disk must not end what serves."""
        try:
            yield
        except OSError as error:
            self._journal.say("disk", f"A file cannot be written: {error.strerror}.")

    def _end(self) -> None:
        self._activity = "stopping"
        self._journal.say("stopping", "Ending: what is in flight is answered.")
        self._crew.end()
        self._activity = "stopped"
        self._write_status()
