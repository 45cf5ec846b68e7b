"""What is known of an interpreter without starting it, and by starting it."""

from __future__ import annotations

import sys

from samovar.env.interpreters import find_interpreter, probe


def test_own_interpreter_says_without_being_started_what_it_says_when_started() -> None:
    found = find_interpreter(".".join(map(str, sys.version_info[:2])))
    started = probe(found.path)
    assert found.path == started.path
    assert found.version == started.version
    assert found.markers == started.markers
    assert found.base == started.base
    assert found.libc == started.libc
