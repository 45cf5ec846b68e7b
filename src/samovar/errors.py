"""Every error that samovar raises on purpose, and nothing else.

The tree (the exit code of each family is decided in ``cli/exit_codes.py`` alone)::

    SamovarError
    ├── UserError            what was asked for or handed over is wrong
    │   ├── InvalidReference     a name, tag, digest or registry reference
    │   ├── InvalidProject       samovar.toml or the project's folder
    │   ├── InvalidRequirements  requirements, a lock, an environment file
    │   ├── InvalidModel         a file that is no model
    │   ├── InvalidInput         rows, a body, a table
    │   └── NotFound             no such bundle, run, file, column, ...
    ├── Refused              a policy says no: the audit, an attestation
    ├── EnvironmentMismatch  this environment does not answer the lock
    ├── Unavailable          something outside is missing: Python, engine, registry, index, disk
    │   ├── Offline              it would need a connection, and that is switched off
    │   ├── OutOfSpace           no space left on the device
    │   └── RegistryFailure      a registry refuses, fails or went away
    ├── Damaged              stored or received bytes are not what their digest says
    ├── ScriptFailed         the user's own program failed
    └── Interrupted          the user, or a signal, ended it

A message says what happened; ``why`` says why, where that is known; ``hint`` says what to do next;
``code`` is stable and written for programs.
"""

from __future__ import annotations

from typing import ClassVar


class SamovarError(Exception):
    """Root of all errors that samovar raises on purpose.

    Parameters
    ----------
    message : str
        What happened, one sentence.
    why : str, optional
        The reason, where it is known: wanted, found, and where it was looked for.
    hint : str, optional
        What to do next.
    code : str, optional
        Stable identifier for programs, ``snake_case``; by default the class's own.
    """

    default_code: ClassVar[str] = "error"

    def __init__(
        self,
        message: str,
        *,
        why: str | None = None,
        hint: str | None = None,
        code: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.why = why
        self.hint = hint
        self.code = code or self.default_code

    def __str__(self) -> str:
        return self.message if self.why is None else f"{self.message}\n{self.why}"


class UserError(SamovarError):
    """What was asked for or handed over is wrong."""

    default_code = "wrong_use"


class InvalidReference(UserError):
    """A name, tag, digest or registry reference is malformed."""

    default_code = "invalid_reference"


class InvalidProject(UserError):
    """``samovar.toml`` or the project's folder is wrong."""

    default_code = "invalid_project"


class InvalidRequirements(UserError):
    """Requirements, a lock or an environment file cannot be used."""

    default_code = "invalid_requirements"


class InvalidModel(UserError):
    """A file is not a model that samovar can read."""

    default_code = "invalid_model"


class InvalidInput(UserError):
    """Rows, a request body or a table do not fit the model's signature."""

    default_code = "invalid_input"


class NotFound(UserError):
    """There is no such thing under that name."""

    default_code = "not_found"


class Refused(SamovarError):
    """A policy says no: the audit of a model, or a missing attestation."""

    default_code = "refused"


class EnvironmentMismatch(SamovarError):
    """An environment does not answer the lock; nothing was loaded in it."""

    default_code = "environment_mismatch"


class Unavailable(SamovarError):
    """Something outside samovar is missing or does not answer."""

    default_code = "unavailable"


class Offline(Unavailable):
    """A connection would be needed, and connections are switched off."""

    default_code = "offline"


class OutOfSpace(Unavailable):
    """The file system has no space left."""

    default_code = "no_space"


class RegistryFailure(Unavailable):
    """A registry refuses, fails, or went away.

    Parameters
    ----------
    message, why, hint, code : str
        As in `SamovarError`; no secret is in them.
    status : int, optional
        Of the HTTP answer, where there was one.
    registry_codes : tuple of str
        What the registry calls it (``DENIED``, ``TOOMANYREQUESTS``, ...).
    may_retry : bool
        Whether the same request may succeed later.
    retry_after_s : float, optional
        How long the registry asks to wait, in seconds.
    """

    default_code = "registry"

    def __init__(
        self,
        message: str,
        *,
        why: str | None = None,
        hint: str | None = None,
        code: str | None = None,
        status: int | None = None,
        registry_codes: tuple[str, ...] = (),
        may_retry: bool = False,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(message, why=why, hint=hint, code=code)
        self.status = status
        self.registry_codes = registry_codes
        self.may_retry = may_retry
        self.retry_after_s = retry_after_s


class Damaged(SamovarError):
    """Stored or received bytes are not what their digest says."""

    default_code = "damaged"


class ScriptFailed(SamovarError):
    """The user's own program failed."""

    default_code = "script_failed"


class Interrupted(SamovarError):
    """The user, or a signal, ended the work."""

    default_code = "interrupted"
