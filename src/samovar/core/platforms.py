"""Platforms by their short names, and what markers say about them.

References
----------
Dependency specifiers (PEP 508), section "Environment Markers"; OCI image index, "platform".
"""

from __future__ import annotations

from typing import Final

from samovar.errors import UserError

_MARKERS: Final[dict[str, dict[str, str]]] = {
    "linux/amd64": {
        "sys_platform": "linux",
        "platform_system": "Linux",
        "platform_machine": "x86_64",
        "os_name": "posix",
    },
    "linux/arm64": {
        "sys_platform": "linux",
        "platform_system": "Linux",
        "platform_machine": "aarch64",
        "os_name": "posix",
    },
    "macos/amd64": {
        "sys_platform": "darwin",
        "platform_system": "Darwin",
        "platform_machine": "x86_64",
        "os_name": "posix",
    },
    "macos/arm64": {
        "sys_platform": "darwin",
        "platform_system": "Darwin",
        "platform_machine": "arm64",
        "os_name": "posix",
    },
    "windows/amd64": {
        "sys_platform": "win32",
        "platform_system": "Windows",
        "platform_machine": "AMD64",
        "os_name": "nt",
    },
    "windows/arm64": {
        "sys_platform": "win32",
        "platform_system": "Windows",
        "platform_machine": "ARM64",
        "os_name": "nt",
    },
}
KNOWN: Final = tuple(_MARKERS)


def marker_environment(platform: str, python_minor: str) -> dict[str, str]:
    """Give the environment in which markers are evaluated for CPython on a platform.

    Parameters
    ----------
    platform : str
        One of :data:`KNOWN`.
    python_minor : str
        ``3.11``.

    Raises
    ------
    UserError
        For a platform that is not known.

    Examples
    --------
    >>> marker_environment("linux/arm64", "3.11")["platform_machine"]
    'aarch64'
    """
    return {
        **_of(platform),
        "implementation_name": "cpython",
        "implementation_version": f"{python_minor}.0",
        "platform_python_implementation": "CPython",
        "platform_release": "",
        "platform_version": "",
        "python_version": python_minor,
        "python_full_version": f"{python_minor}.0",
    }


def marker(platform: str, python_minor: str) -> str:
    """Write the marker that is true for CPython of a minor version on a platform alone.

    Examples
    --------
    >>> print(marker("windows/amd64", "3.11"))
    sys_platform == 'win32' and platform_machine == 'AMD64' and python_version == '3.11'
    """
    found = _of(platform)
    return (
        f"sys_platform == '{found['sys_platform']}' and "
        f"platform_machine == '{found['platform_machine']}' and "
        f"python_version == '{python_minor}'"
    )


def platform_of(sys_platform: str, machine: str) -> str | None:
    """Give the short name of a platform that markers describe, or None.

    Examples
    --------
    >>> platform_of("linux", "x86_64")
    'linux/amd64'
    """
    for name, markers in _MARKERS.items():
        if markers["sys_platform"] == sys_platform and markers["platform_machine"] == machine:
            return name
    return None


def _of(platform: str) -> dict[str, str]:
    if platform not in _MARKERS:
        raise UserError(
            f"{platform!r} is not a platform that samovar knows.",
            hint=f"Known are {', '.join(KNOWN)}.",
            code="unknown_platform",
        )
    return _MARKERS[platform]
