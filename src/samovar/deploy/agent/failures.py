"""Why a bundle is not served, and whether the same digest would fail again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from samovar.deploy.commands import Finished

_FINAL: Final = frozenset({1, 2})
"""Exit codes that trying again does not change: the answer is no, or it is no bundle."""
_ATTESTED: Final = "attestation_"


class Failed(Exception):
    """A bundle was not brought into service.

    Parameters
    ----------
    why : str
        For people.
    is_final : bool
        Whether the same digest would fail again.
    """

    def __init__(self, why: str, *, is_final: bool) -> None:
        super().__init__(why)
        self.why = why
        self.is_final = is_final


def of_system(error: OSError) -> Failed:
    """Say that the system refused something, which may pass."""
    return Failed(f"the system refuses: {error.strerror or error}", is_final=False)


def of_command(finished: Finished) -> Failed:
    """Say what a command's end means for the bundle that it worked on."""
    judged = "verdict" in finished.document
    # What is not there yet may come: a blob to the registry, somebody's attestation of the digest.
    may_come = finished.error_code == "not_found" or str(finished.error_code).startswith(_ATTESTED)
    is_final = judged or (finished.code in _FINAL and not may_come)
    return Failed(finished.words, is_final=is_final)
