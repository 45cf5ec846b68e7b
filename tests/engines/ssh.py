"""An OpenSSH server that knows one key and gives an empty home, and the client's configuration."""

from __future__ import annotations

import getpass
import os
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from engines.processes import Running, answers, free_port, need, running

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


@dataclass(frozen=True, slots=True, kw_only=True)
class SshHost:
    """A host that ``ssh -F CONFIG NAME`` reaches.

    Parameters
    ----------
    name : str
        Alias in the configuration.
    address : str
        IP address.
    port : int
        Of the server.
    user : str
        Who logs in, by key alone.
    key : Path
        Private key.
    config : Path
        The client's configuration file; ``ssh -F`` or a wrapper in ``bin``.
    bin : Path
        Folder with ``ssh``, ``scp`` and ``sftp`` that use the configuration; put it first on PATH.
    server : Running
        The server's process.
    """

    name: str
    address: str
    port: int
    user: str
    key: Path
    config: Path
    bin: Path
    server: Running

    @property
    def env(self) -> dict[str, str]:
        """The tests' environment with the wrappers first on PATH."""
        return {**os.environ, "PATH": f"{self.bin}{os.pathsep}{os.environ['PATH']}"}


@contextmanager
def run_sshd(
    folder: Path,
    *,
    name: str = "host",
    address: str = "127.0.0.1",
    inside: Sequence[str] = (),
) -> Iterator[SshHost]:
    """Run one more server; ``inside`` is what it is started by (``ip netns exec NAME``)."""
    program = need("sshd", "apt install openssh-server")
    keygen = need("ssh-keygen", "apt install openssh-client")
    need("ssh", "apt install openssh-client")
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)  # sshd's privilege separation asks for it
    host_key, key = folder / "host_key", folder / "key"
    for path in (host_key, key):
        command = [keygen, "-q", "-t", "ed25519", "-N", "", "-f", str(path)]
        subprocess.run(command, check=True, capture_output=True)
    (folder / "home").mkdir()
    (folder / "authorized_keys").write_bytes(key.with_suffix(".pub").read_bytes())
    port = free_port()
    (folder / "sshd_config").write_text(
        f"ListenAddress {address}\nPort {port}\nHostKey {host_key}\nPidFile {folder / 'pid'}\n"
        f"AuthorizedKeysFile {folder / 'authorized_keys'}\nStrictModes no\nUsePAM no\n"
        "PasswordAuthentication no\nKbdInteractiveAuthentication no\nPermitRootLogin yes\n"
        "Subsystem sftp internal-sftp\nMaxStartups 100\nMaxSessions 100\n"
        f"SetEnv HOME={folder / 'home'}\n"
    )
    public = host_key.with_suffix(".pub").read_text()
    (folder / "known_hosts").write_text(f"[{address}]:{port} {public}")
    user = getpass.getuser()
    config = folder / "config"
    config.write_text(
        f"Host {name}\n  HostName {address}\nHost {name} {address}\n  Port {port}\n  User {user}\n"
        f"  IdentityFile {key}\n  IdentitiesOnly yes\n  UserKnownHostsFile {folder / 'known_hosts'}\n"
        "  BatchMode yes\n"
    )
    command = [*inside, program, "-D", "-e", "-f", folder / "sshd_config"]
    with running(
        command, log=folder / "log", ready=lambda: bool(inside) or answers(port, address)
    ) as server:
        yield SshHost(
            name=name,
            address=address,
            port=port,
            user=user,
            key=key,
            config=config,
            bin=_wrappers(folder, config),
            server=server,
        )


def _wrappers(folder: Path, config: Path) -> Path:
    bin_folder = folder / "bin"
    bin_folder.mkdir()
    for program in ("ssh", "scp", "sftp"):
        wrapper = bin_folder / program
        real = need(program, "apt install openssh-client")
        wrapper.write_text(f'#!/bin/sh\nexec {real} -F {config} "$@"\n')
        wrapper.chmod(0o755)
    return bin_folder


@pytest.fixture(scope="session")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshHost]:
    """This machine as a host that is reached by SSH."""
    with run_sshd(tmp_path_factory.mktemp("sshd")) as host:
        yield host
