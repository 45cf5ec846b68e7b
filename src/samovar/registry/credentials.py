"""Credentials as Docker keeps them: ``config.json`` and credential helpers; never stored by us.

References
----------
Docker command line, "docker login": configuration file, credential stores, credential helpers.
"""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from samovar.errors import Unavailable

if TYPE_CHECKING:
    from samovar.registry.endpoint import Endpoint

_HELPER_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_HELPER_TIMEOUT_S: Final = 120.0
_NONE_KEPT: Final = (
    "credentials not found",
    "no credentials server url",
    "no credentials username",
)
_IDENTITY: Final = "<token>"


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """What one registry knows a user by; secrets are kept out of its printed form.

    Parameters
    ----------
    username, password : str, optional
        For Basic authentication.
    identity_token : str, optional
        A refresh token, exchanged for access tokens.
    registry_token : str, optional
        An access token that is sent as it is.
    """

    username: str | None = None
    password: str | None = field(default=None, repr=False)
    identity_token: str | None = field(default=None, repr=False)
    registry_token: str | None = field(default=None, repr=False)

    @property
    def basic(self) -> str | None:
        """The value of an ``Authorization`` header, where there are user and password."""
        if self.username is None or self.password is None:
            return None
        pair = f"{self.username}:{self.password}".encode()
        return "Basic " + base64.b64encode(pair).decode("ascii")

    @property
    def secrets(self) -> frozenset[str]:
        """Everything that must never be printed."""
        basic = self.basic
        words = (self.password, self.identity_token, self.registry_token, basic and basic[6:])
        return frozenset(word for word in words if word)


def config_file() -> Path:
    """Give where Docker's configuration is: below ``DOCKER_CONFIG``, else below ``~/.docker``."""
    folder = os.environ.get("DOCKER_CONFIG")
    return (Path(folder) if folder else Path.home() / ".docker") / "config.json"


def find_credentials(endpoint: Endpoint) -> Credentials | None:
    """Find a registry's credentials, or None where none are kept.

    Raises
    ------
    Unavailable
        Where the configuration or a helper's answer cannot be read.
    """
    path = config_file()
    config = _read(path)
    helpers = _object(config, "credHelpers", path)
    for key in endpoint.config_keys:
        if isinstance(helpers.get(key), str):
            return _ask_helper(helpers[key], key)
    store = config.get("credsStore")
    if isinstance(store, str) and store:
        found = _ask_helper(store, endpoint.config_keys[0])
        if found is not None:
            return found
    entries = _object(config, "auths", path)
    for key in endpoint.config_keys:
        for name, entry in entries.items():
            if (name == key or _host_of(name) == _host_of(key)) and isinstance(entry, dict):
                found = _of_entry(entry, name, path)
                if found is not None:
                    return found
    return None


def _read(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise _unreadable(path, error.strerror or "It cannot be opened.") from error
    except (ValueError, RecursionError) as error:
        # The parser's own message may quote what stands there.
        raise _unreadable(path, "It is not JSON.") from error
    if not isinstance(document, dict):
        raise _unreadable(path, "It is not a JSON object.")
    return document


def _object(config: dict[str, Any], key: str, path: Path) -> dict[str, Any]:
    found = config.get(key)
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise _unreadable(path, f"Its {key!r} is not an object.")
    return found


def _of_entry(entry: dict[str, Any], name: str, path: Path) -> Credentials | None:
    words = {key: entry.get(key) or None for key in ("identitytoken", "registrytoken")}
    username, password = entry.get("username") or None, entry.get("password") or None
    if entry.get("auth"):
        try:
            pair = base64.b64decode(str(entry["auth"]), validate=True).decode()
        except ValueError as error:
            raise _unreadable(path, f"The entry of {name!r} has an 'auth' that is none.") from error
        username, colon, password = pair.partition(":")
        password = password.rstrip("\0")
        if not colon:
            raise _unreadable(path, f"The entry of {name!r} has an 'auth' without a colon.")
    if not (words["identitytoken"] or words["registrytoken"] or (username and password)):
        return None
    return Credentials(
        username=username or None,
        password=password or None,
        identity_token=words["identitytoken"],
        registry_token=words["registrytoken"],
    )


def _host_of(key: str) -> str:
    """Give the host in a key: old configurations have whole URLs."""
    return key.partition("://")[2].partition("/")[0] if "://" in key else key.partition("/")[0]


def _ask_helper(name: str, server: str) -> Credentials | None:
    program = f"docker-credential-{name}"
    found = shutil.which(program) if _HELPER_NAME.fullmatch(name) else None
    if found is None:
        raise Unavailable(
            f"The credential helper {program} is not installed.",
            why=f"{config_file()} names it for {server}.",
            hint="Install it, or take it out of that file and log in again.",
            code="credential_helper",
        )
    try:
        ended = subprocess.run(
            [found, "get"],
            input=server.encode(),
            capture_output=True,
            timeout=_HELPER_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise _helper_failed(program, server) from error
    if ended.returncode != 0:
        said = (ended.stdout + ended.stderr).decode(errors="replace").lower()
        if any(words in said for words in _NONE_KEPT):
            return None
        raise _helper_failed(program, server)
    try:
        answer = json.loads(ended.stdout)
        username, secret = str(answer["Username"]), str(answer["Secret"])
    except (ValueError, KeyError, TypeError) as error:
        raise _helper_failed(program, server) from error
    if username == _IDENTITY:
        return Credentials(identity_token=secret)
    return Credentials(username=username, password=secret) if username and secret else None


def _helper_failed(program: str, server: str) -> Unavailable:
    # What a helper wrote is not shown: it may be the secret.
    return Unavailable(
        f"The credential helper {program} gave no credentials for {server}.",
        hint=f"Try it by hand: echo {server} | {program} get",
        code="credential_helper",
    )


def _unreadable(path: Path, why: str) -> Unavailable:
    return Unavailable(
        f"Docker's configuration {path} cannot be used.",
        why=why,
        hint="Correct it, or log in again with 'docker login'.",
        code="docker_config",
    )
