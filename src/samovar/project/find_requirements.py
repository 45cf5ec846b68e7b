"""Find what a folder asks for: its requirements files, whoever wrote them, or proposals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from samovar.core.toml import parse_toml
from samovar.project.foreign import LISTS, LOCKS, read_foreign

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from packaging.specifiers import SpecifierSet

    from samovar.project.found import FoundModel
    from samovar.project.sources import Sources

    Propose = Callable[[Sources, FoundModel], Sequence[str]]
    Asked = Callable[[Sequence[str]], dict[str, str] | None]

# In this order; files of exact versions before files of ranges, where a tool writes both.
_OWN: Final = (
    "requirements.txt", "requirements.lock", "requirements.in", "environment.yml",
    "environment.yaml", "conda.yml", "conda.yaml", "pylock.toml",
)  # fmt: skip
_MORE: Final = ("requirements*.txt", "requirements/*.txt", "requirements*.in")
_OF_DEVELOPERS: Final = ("dev", "test", "doc", "lint", "build")


def find_requirements(
    folder: Path, sources: Sources, found: FoundModel, propose: Propose, notes: list[str]
) -> list[str]:
    """Find the requirements of a folder, or propose some.

    Parameters
    ----------
    folder : Path
        The project's.
    sources : Sources
        Names what is imported.
    found : FoundModel
        Names what the model needs.
    propose : callable
        Proposes specifiers where nothing lists them.
    notes : list of str
        Is told what was assumed.

    Returns
    -------
    list of str
        Names of files, or specifiers.
    """
    named = _own_file(folder)
    if named is not None:
        notes.append(f"requirements: {named}")
        return [named]
    for name in LOCKS:
        if (specifiers := _foreign(folder, name, notes)) is not None:
            return specifiers
    if _lists_dependencies(folder):
        notes.append("requirements: pyproject.toml")
        return ["pyproject.toml"]
    for name in LISTS:
        if (specifiers := _foreign(folder, name, notes)) is not None:
            return specifiers
    proposed = list(propose(sources, found))
    notes.append(
        "no requirements file; proposed from imports and the model: "
        f"{', '.join(proposed) or 'nothing'}"
    )
    return proposed


def pin_recorded(
    requirements: list[str], found: FoundModel, asked: Asked, notes: list[str]
) -> list[str]:
    """Add the versions that the model records, where the requirements leave them open.

    Parameters
    ----------
    requirements : list of str
        Files or specifiers.
    found : FoundModel
        Records versions.
    asked : callable
        Gives the specifier set of each distribution that requirements ask for, by normalised
        name; None where they cannot be read, which ``lock`` will say.
    notes : list of str
        Is told what was added, and what does not agree.
    """
    from packaging.specifiers import SpecifierSet
    from packaging.version import InvalidVersion, Version

    wanted = asked(requirements)
    if wanted is None:
        return requirements
    added = []
    for name, recorded in sorted(found.library_versions.items()):
        try:
            version = Version(recorded)
        except InvalidVersion:
            continue
        specifiers = SpecifierSet(wanted.get(name, ""))
        if not specifiers.contains(version, prereleases=True):
            notes.append(
                f"the model was made with {name} {recorded}, the requirements ask for "
                f"{name}{specifiers}: its answers may differ"
            )
        elif not version.is_prerelease and not version.local and not _is_exact(specifiers):
            added.append(f"{name}=={recorded}")
    if added:
        notes.append(f"pinned as the model records it: {', '.join(added)}")
    return requirements + added


def _is_exact(specifiers: SpecifierSet) -> bool:
    return any(
        one.operator in {"==", "==="} and not one.version.endswith("*") for one in specifiers
    )


def _foreign(folder: Path, name: str, notes: list[str]) -> list[str] | None:
    path = folder / name
    if not path.is_file():
        return None
    specifiers = read_foreign(path)
    if specifiers is not None:
        notes.append(f"requirements: copied out of {name}, so keep them in step")
    elif not name.startswith("setup."):
        notes.append(f"{name} cannot be read; export a requirements.txt from it")
    return specifiers


def _own_file(folder: Path) -> str | None:
    for name in _OWN:
        if (folder / name).is_file():
            return name
    found = [
        path.relative_to(folder).as_posix()
        for pattern in _MORE
        for path in sorted(folder.glob(pattern))
        if path.is_file() and not any(word in path.stem.lower() for word in _OF_DEVELOPERS)
    ]
    return found[0] if found else None


def _lists_dependencies(folder: Path) -> bool:
    path = folder / "pyproject.toml"
    if not path.is_file():
        return False
    try:
        project = parse_toml(path.read_text(encoding="utf-8-sig")).get("project")
    except ValueError:
        return False
    return isinstance(project, dict) and isinstance(project.get("dependencies"), list)
