"""Orders to a running service: one at a time, each answered once, and none of a dead orderer."""

from __future__ import annotations

import errno
import threading
from typing import TYPE_CHECKING

import pytest

from samovar.deploy.orders import Desk, ordering
from samovar.deploy.running import RunFolder
from samovar.errors import Unavailable

if TYPE_CHECKING:
    from pathlib import Path


def answering(desk: Desk, stop: threading.Event) -> threading.Thread:
    """Answer every order with what was to be done; refuse `bad` and `full`."""

    def work() -> None:
        while not stop.wait(0.01):
            order = desk.next()
            if order is None:
                continue
            if order["do"] == "bad":
                desk.fail(Unavailable("No.", why="Because.", hint="Never.", code="bad"))
            elif order["do"] == "full":
                desk.fail(OSError(errno.ENOSPC, "No space left on device"))
            else:
                desk.answer(did=order["do"], with_=order["with_"])

    thread = threading.Thread(target=work)
    thread.start()
    return thread


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    (tmp_path / "run").mkdir()
    return RunFolder(tmp_path / "run")


def test_each_order_is_answered_once(folder: RunFolder) -> None:
    stop = threading.Event()
    with folder.held():
        desk = Desk(folder)
        thread = answering(desk, stop)
        assert not desk.is_attended()
        with ordering(folder) as orderer:
            assert desk.is_attended()
            assert orderer.order("start", with_=1)["did"] == "start"
            assert orderer.order("commit", with_=2)["with_"] == 2
            with pytest.raises(Unavailable) as caught:
                orderer.order("bad")
            assert (caught.value.code, caught.value.hint) == ("bad", "Never.")
            with pytest.raises(Unavailable, match="No space left on device") as caught:
                orderer.order("full")
            assert caught.value.code == "system"
            with pytest.raises(Unavailable) as caught, ordering(folder):
                pass
            assert caught.value.code == "switch_runs"
        assert not desk.is_attended()
        stop.set()
        thread.join()
        assert desk.next() is None


def test_a_run_that_ended_answers_nobody(folder: RunFolder) -> None:
    with ordering(folder) as orderer, pytest.raises(Unavailable) as caught:
        orderer.order("start")
    assert caught.value.code == "run_ended"
