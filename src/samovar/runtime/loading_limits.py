"""Limits on memory and processor time while a model is loaded, where the platform has them."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

# Generous: libraries are imported meanwhile, and reserve address space for each processor.
_BASE_BYTES: Final = 16 << 30
_BYTES_PER_BYTE: Final = 64
_BASE_SECONDS: Final = 120
_SECONDS_PER_MIB: Final = 1


@contextmanager
def limited(size: int) -> Iterator[None]:
    """Bound this process while a file of so many bytes is loaded in it.

    More memory is a MemoryError, more processor time the signal SIGXCPU. Limits that are already
    lower stay; afterwards they are what they were.
    """
    try:
        import resource
    except ImportError:  # Windows has no such limits
        yield
        return
    used = resource.getrusage(resource.RUSAGE_SELF)
    seconds = int(used.ru_utime + used.ru_stime) + _BASE_SECONDS + _SECONDS_PER_MIB * (size >> 20)
    wanted = {
        resource.RLIMIT_AS: _BASE_BYTES + _BYTES_PER_BYTE * size,
        resource.RLIMIT_CPU: seconds,
    }
    before = {kind: resource.getrlimit(kind) for kind in wanted}
    try:
        for kind, (soft, hard) in before.items():
            lower = min(value for value in (wanted[kind], soft, hard) if value >= 0)
            resource.setrlimit(kind, (lower, hard))
        yield
    finally:
        for kind, limits in before.items():
            resource.setrlimit(kind, limits)
