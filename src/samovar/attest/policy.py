"""What a deployment must have: whose word counts, which verdicts, from which machines.

A policy is the operator's. None travels in a bundle: whoever could change the bundle could change
it too (docs/decisions/0015-attestation.md).
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from samovar.errors import NotFound, UserError
from samovar.project.checking import FILE
from samovar.project.config import check_sections, read_file
from samovar.project.policy import PolicySection, read_age

if TYPE_CHECKING:
    from datetime import timedelta

    from samovar.attest.keys import PublicKey

VARIABLE: Final = "SAMOVAR_POLICY"
DEFAULT_VERDICTS: Final = ("IDENTICAL", "EQUIVALENT")


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What must be vouched for, and by whom.

    Parameters
    ----------
    keys : tuple of PublicKey
        Who is believed.
    verdicts : tuple of str
        Which verdicts count.
    machines : tuple of str
        Each must be the name or the platform of a machine whose verdict counts; ``*`` stands for
        anything. Empty asks for one verdict from anywhere.
    max_age : timedelta, optional
        Older verdicts do not count.
    source : str
        Where it is written, for messages.
    """

    keys: tuple[PublicKey, ...]
    verdicts: tuple[str, ...] = DEFAULT_VERDICTS
    machines: tuple[str, ...] = ()
    max_age: timedelta | None = None
    source: str


def find_policy(explicit: Path | None, folder: Path | None) -> Policy | None:
    """Find the policy that holds: the named file's, ``SAMOVAR_POLICY``'s, or the project's.

    Parameters
    ----------
    explicit : Path, optional
        As named on the command line.
    folder : Path, optional
        Of a project; its policy holds where the operator names none.

    Raises
    ------
    NotFound
        Where a named file does not exist.
    UserError
        Where a named file has no policy, or a key cannot be read.
    """
    variable = os.environ.get(VARIABLE)
    named = explicit or (Path(variable) if variable else None)
    if named is not None:
        section = _section_of(named)
        if section is None:
            raise UserError(f"{named} has no section [policy].", hint=_SEE, code="no_policy")
        return _policy(section, named.parent, str(named))
    text = None if folder is None else read_file(folder)
    if folder is None or text is None:
        return None
    section = _read_section(text)
    return None if section is None else _policy(section, folder, str(folder / FILE))


def _section_of(path: Path) -> PolicySection | None:
    try:
        return _read_section(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError as error:
        raise NotFound(f"There is no policy {path}.", hint=_SEE) from error
    except (UnicodeDecodeError, IsADirectoryError) as error:
        raise UserError(f"{path} is not a policy.", hint=_SEE, code="no_policy") from error


def _read_section(text: str) -> PolicySection | None:
    values = check_sections(text).get("policy")
    if values is None:
        return None
    if "keys" not in values:
        raise UserError("[policy] lacks keys.", hint=_SEE, code="no_policy")
    return PolicySection(**values)


def _policy(section: PolicySection, folder: Path, source: str) -> Policy:
    from samovar.attest.keys import read_public_key  # cryptography: only where there is a policy

    return Policy(
        keys=tuple(read_public_key(folder / name) for name in section.keys),
        verdicts=section.verdicts,
        machines=section.machines,
        max_age=None if section.max_age is None else read_age(section.max_age),
        source=source,
    )


_SEE: Final = 'Write [policy] keys = ["attest.pub"] as docs/reference/samovar-toml.md says.'
