"""Follow the pickle streams of a file, in the ways that loaders do, and what comes after."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, Final

from samovar.errors import InvalidModel
from samovar.model.findings import Log
from samovar.model.joblib_reader import JoblibReader
from samovar.model.pickle_reader import MAX_ACTS, PickleReader
from samovar.model.source import BROKEN

if TYPE_CHECKING:
    from samovar.core.allowlist import Policy
    from samovar.model.source import Source
    from samovar.model.values import Instance

_STREAMS: Final = 64
_PLAUSIBLE: Final = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)+")
_SECOND_READING_ACTS: Final = 200_000


def read_streams(
    source: Source, policy: Policy, log: Log, *, plain: bool = False, max_acts: int = MAX_ACTS
) -> None:
    """Follow the stream at the beginning of a source, and any other after it.

    Parameters
    ----------
    source : Source
        At the beginning.
    policy : Policy
        Judges what the streams name.
    log : Log
        Takes the findings; that something follows the first stream is one.
    plain : bool
        Read as the standard library does; else as joblib does, which a plain stream also allows.
    max_acts : int
        Opcodes that a file of this size may have.

    Raises
    ------
    InvalidModel
        With the code ``broken_stream`` where the first stream cannot be followed to its end.
    """
    reader = PickleReader if plain else JoblibReader
    log.root = _root(reader(source, policy, log, max_acts=max_acts).run())
    if source.at_end():
        return
    log.add("", source.position(), "data follows the end of the pickle")
    for _ in range(_STREAMS):
        try:
            reader(source, policy, log, max_acts=_SECOND_READING_ACTS).run()
            if source.at_end():
                return
        except InvalidModel:
            return


def second_reading(source: Source, policy: Policy, log: Log) -> None:
    """Read bytes as a plain pickle though they are something else, and note what would run.

    A file that one loader takes for arrays or a container may be a program to another. Bytes that
    are none end at once, or name nothing that could be a global.
    """
    other = Log()
    try:
        PickleReader(source, policy, other, max_acts=_SECOND_READING_ACTS).run()
    except InvalidModel as error:
        if error.code != BROKEN:
            raise
    for finding in other.findings():
        if finding.global_ in other.strangers and _could_run(finding.global_, log):
            log.seen(finding.global_)
            log.add(finding.global_, finding.offset, f"read as a plain pickle, {finding.why}")


def _could_run(name: str, log: Log) -> bool:
    # Where joblib's first array holds objects, a plain reader takes the memo of the nested pickle
    # for that of the outer one: honest files then name chance pairs of texts, such as "city.dtype".
    if not log.begins_with_objects:
        return is_plausible(name)
    module, _, attribute = name.rpartition(".")
    return module in sys.stdlib_module_names and hasattr(sys.modules.get(module), attribute)


def is_plausible(name: str) -> bool:
    """Say whether text could be the dotted name of a global, rather than chance."""
    return _PLAUSIBLE.fullmatch(name) is not None


def _root(value: Instance | object) -> str | None:
    cls = getattr(value, "cls", None)
    return None if cls is None else str(cls.what)
