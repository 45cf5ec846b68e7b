"""What an interpreter says of itself; run as a program by any interpreter, it prints that as JSON.

It stands on the standard library alone.
"""

from __future__ import annotations

import json
import os
import platform
import sys
import sysconfig


def interpreter_facts() -> dict[str, object]:
    """Describe the interpreter that runs this: version, markers (PEP 508), places, C library."""
    version = ".".join(map(str, sys.version_info[:3]))
    return {
        "version": version,
        "base": getattr(sys, "_base_executable", None) or sys.executable,
        "purelib": sysconfig.get_path("purelib"),
        "libc": " ".join(platform.libc_ver()).strip(),
        "markers": {
            "implementation_name": sys.implementation.name,
            "implementation_version": version,
            "os_name": os.name,
            "platform_machine": platform.machine(),
            "platform_python_implementation": platform.python_implementation(),
            "platform_release": platform.release(),
            "platform_system": platform.system(),
            "platform_version": platform.version(),
            "python_full_version": platform.python_version(),
            "python_version": ".".join(platform.python_version_tuple()[:2]),
            "sys_platform": sys.platform,
        },
    }


if __name__ == "__main__":
    print(json.dumps(interpreter_facts()))  # noqa: T201 - the answer to whoever started it
