"""The guard's own bounds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from samovar.core import guard as guard_module
from samovar.core.allowlist import Global, Policy
from samovar.core.guard import Guard

if TYPE_CHECKING:
    import pytest


class View:
    def global_of(self, value: Any) -> Global | None:
        return value if isinstance(value, Global) else None

    def kind_of(self, _: Any) -> str:
        return "object"

    def holds_nested(self, _: Any) -> bool:
        return False


def test_more_tuples_of_globals_than_a_model_has_are_objected_to(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(guard_module, "_HELD", 2)
    guard = Guard(Policy(), View())
    tuples = [(Global("numpy", "exp"), number) for number in range(3)]
    objections = [guard.tuple_made(value) for value in tuples]
    assert objections[:2] == [None, None]
    assert objections[2] is not None
    assert objections[2].global_ is None
