"""Keep with a run what a bundle of its output needs, so that it can be packed anywhere."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any, Final

import tomli_w

from samovar.core.run import RunFile
from samovar.errors import InvalidProject
from samovar.project.config import FILE
from samovar.project.files import select_code
from samovar.record.chunks import store_file

if TYPE_CHECKING:
    from samovar.project.config import Project
    from samovar.store.layout import Store

# Only these go along: [train] and [environment] may name addresses with passwords in them.
_SECTIONS: Final = ("project", "model", "examples", "service")


def keep_for_bundle(store: Store, project: Project) -> tuple[tuple[RunFile, ...], list[str]]:
    """Store what ``samovar.toml`` says of the model, the example rows and the service's code.

    Returns
    -------
    tuple of tuple of RunFile and list of str
        What is kept, and a warning where something could not be.
    """
    text = tomli_w.dumps(_document(project)).encode()
    kept = [RunFile(path=FILE, digest=store.put_bytes(text), size_bytes=len(text))]
    if project.model is None:
        return tuple(kept), []
    try:
        paths = set(select_code(project).included) - {FILE}
    except InvalidProject as error:
        return tuple(kept), [f"'samovar pack' of this run lacks the service: {error.message}"]
    examples = project.examples.path
    if examples is not None and (project.folder / examples).is_file():
        paths.add(examples)
    kept += [store_file(store, project.folder / path, path) for path in sorted(paths)]
    return tuple(kept), []


def _document(project: Project) -> dict[str, Any]:
    """Give what was set: a default may stand for something that cannot be written."""
    document = {}
    for name in _SECTIONS:
        section = getattr(project, name)
        if section is not None:
            values = {
                one.name: getattr(section, one.name)
                for one in fields(section)
                if getattr(section, one.name) != one.default
            }
            document[name] = {
                key: list(value) if isinstance(value, tuple) else value
                for key, value in values.items()
                if value is not None
            }
    return document
