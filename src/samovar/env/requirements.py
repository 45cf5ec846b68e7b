"""Read what a project asks for: requirements files, pyproject.toml, environment.yml, specifiers.

References
----------
pip documentation, "Requirements File Format"; conda documentation, "Managing environments";
PEP 621 ("Storing project metadata in pyproject.toml").
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote, urlsplit

from packaging.requirements import InvalidRequirement, Requirement

from samovar.core.toml import parse_toml
from samovar.env.conda import read_conda
from samovar.env.lock import Lock
from samovar.errors import InvalidRequirements

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

# Options of a requirements file that choose where packages come from; the others are pip's own.
_INDEX_OPTIONS: Final = {
    "-i": "--index-url", "--index-url": "--index-url", "--extra-index-url": "--extra-index-url",
    "-f": "--find-links", "--find-links": "--find-links",
}  # fmt: skip
_FLAGS: Final = ("--no-index", "--pre", "--prefer-binary", "--no-binary", "--only-binary",
                 "--trusted-host", "--use-feature", "--require-hashes")  # fmt: skip
_FILE_URL: Final = re.compile(
    r"(?P<name>[A-Za-z0-9][\w.-]*)\s*(?P<extras>\[[^\]]*\])?\s*@\s*(?P<url>file:\S+?)"
    r"(?P<marker>\s+;.*)?$"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirements:
    """What is asked for, from all sources together.

    Parameters
    ----------
    specifiers : tuple of str
        PEP 508, as written.
    constraints : tuple of str
        Likewise; versions only where something else asks for the distribution.
    options : tuple of str
        Index options, credentials included: for the resolver, never for the lock.
    local : tuple of Path
        Folders of local and editable packages, with ``[extras]`` after the name where asked for.
    extras : dict of Path to str
        Extras of a local package, ``[a,b]``.
    notes : tuple of str
        What was left out, and why.
    """

    specifiers: tuple[str, ...] = ()
    constraints: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    local: tuple[Path, ...] = ()
    extras: dict[Path, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def folders(self) -> tuple[Path, ...]:
        """Folders of this machine in which wheels are looked for."""
        links = [one.partition(" ")[2] for one in self.options if one.startswith("--find-links")]
        return tuple(Path(one) for one in links if Path(one).is_dir())


def read_requirements(sources: Sequence[str], folder: Path) -> Requirements:
    """Read every source of a project.

    Parameters
    ----------
    sources : sequence of str
        Names of files in the folder, or specifiers.
    folder : Path
        The project's.

    Raises
    ------
    InvalidRequirements
        Naming the file and line that cannot be read.
    """
    collected = _Collected()
    for source in sources:
        path = folder / source
        if path.is_file():
            _read_file(path, collected)
        elif re.search(r"\.(txt|in|toml|ya?ml|cfg)$", source):
            raise InvalidRequirements(
                f"There is no requirements file {source} in {folder}.",
                hint="Correct [environment] requirements in samovar.toml.",
                code="no_requirements",
            )
        else:
            _add_line(source, "samovar.toml", folder, collected)
    return Requirements(
        specifiers=tuple(dict.fromkeys(collected.specifiers)),
        constraints=tuple(dict.fromkeys(collected.constraints)),
        options=tuple(collected.options),
        local=tuple(dict.fromkeys(collected.local)),
        extras=collected.extras,
        notes=tuple(collected.notes),
    )


class _Collected:
    def __init__(self) -> None:
        self.specifiers: list[str] = []
        self.constraints: list[str] = []
        self.options: list[str] = []
        self.local: list[Path] = []
        self.extras: dict[Path, str] = {}
        self.notes: list[str] = []
        self.seen: set[Path] = set()


def _read_file(path: Path, collected: _Collected) -> None:
    if path.resolve() in collected.seen:
        return
    collected.seen.add(path.resolve())
    if path.name.startswith("pylock.") and path.suffix == ".toml":
        _read_lock(path, collected)
    elif path.suffix == ".toml":
        _read_pyproject(path, collected)
    elif path.suffix in {".yml", ".yaml"}:
        found = read_conda(_text(path), path.name)
        collected.specifiers += [_specifier(one, path.name) for one in found.specifiers]
        collected.notes += found.notes
        for line in found.pip:
            _add_line(line, path.name, path.parent, collected)
    else:
        for number, line in _logical_lines(path):
            _add_line(line, f"{path.name}, line {number}", path.parent, collected)


def _text(path: Path) -> str:
    data = path.read_bytes()
    # PowerShell's `pip freeze > requirements.txt` writes UTF-16.
    encoding = "utf-16" if data[:2] in {b"\xff\xfe", b"\xfe\xff"} else "utf-8-sig"
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        raise InvalidRequirements(
            f"{path.name} is not text in UTF-8.", hint="Save it as UTF-8."
        ) from error


def _logical_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Give a requirements file's lines without comments, continued ones joined."""
    pending, start = "", 0
    for number, line in enumerate(_text(path).splitlines(), 1):
        start = start or number
        if line.rstrip().endswith("\\") and not line.lstrip().startswith("#"):
            pending += line.rstrip()[:-1] + " "
            continue
        whole = re.sub(r"(^|\s)#.*$", "", pending + line).strip()
        if whole:
            yield start, whole
        pending, start = "", 0


def _add_line(line: str, where: str, folder: Path, collected: _Collected) -> None:
    word, _, rest = line.partition(" ")
    name, equals, value = word.partition("=") if word.startswith("--") else (word, "", "")
    argument = value if equals else rest.strip()
    if name in {"-r", "--requirement", "-c", "--constraint"}:
        _include(name, argument, where, folder, collected)
    elif name in {"-e", "--editable"}:
        _add_local(argument, where, folder, collected)
    elif name in _INDEX_OPTIONS:
        if name in {"-f", "--find-links"} and (folder / argument).is_dir():
            argument = str((folder / argument).resolve())
        collected.options.append(f"{_INDEX_OPTIONS[name]} {argument}")
    elif name in _FLAGS:
        collected.options.append(line)
    elif name.startswith("-"):
        raise _unreadable(line, where, "it is an option that samovar does not know")
    elif _is_local(word, folder):
        _add_local(line, where, folder, collected)
    elif not _of_this_machine(line, where, collected):
        collected.specifiers.append(_specifier(line, where))


def _include(option: str, argument: str, where: str, folder: Path, collected: _Collected) -> None:
    path = folder / argument
    if not path.is_file():
        raise _unreadable(f"{option} {argument}", where, f"there is no file {path}")
    if option in {"-r", "--requirement"}:
        _read_file(path, collected)
        return
    for number, line in _logical_lines(path):
        collected.constraints.append(_specifier(line, f"{path.name}, line {number}"))


def _is_local(word: str, folder: Path) -> bool:
    bare = word.partition("[")[0]
    if bare.startswith((".", "/", "~", "file:")) or re.match(r"[A-Za-z]:[\\/]", bare):
        return True
    return "/" in bare and (folder / bare).is_dir()


def _add_local(argument: str, where: str, folder: Path, collected: _Collected) -> None:
    if argument.startswith(("git+", "hg+", "svn+", "bzr+")):
        raise _unreadable(
            argument, where, "a repository is not the same thing every time it is fetched"
        )
    bare, bracket, extras = argument.partition("[")
    if bare.startswith("file:"):
        bare = unquote(urlsplit(bare).path)
    path = (folder / Path(bare.strip()).expanduser()).resolve()
    if not path.exists():
        raise _unreadable(argument, where, f"there is no folder {path}")
    collected.local.append(path)
    if bracket:
        collected.extras[path] = bracket + extras.partition("]")[0] + "]"


def _specifier(line: str, where: str) -> str:
    """Check a specifier; hashes after it are left out, since the lock has its own."""
    text = re.split(r"\s--(?:hash|config-settings|global-option)\b", line)[0].strip()
    try:
        requirement = Requirement(text)
    except InvalidRequirement as error:
        raise _unreadable(line, where, str(error).splitlines()[0]) from error
    if (requirement.url or "").startswith("git+"):
        raise _unreadable(line, where, "a repository is not the same thing every time")
    return text


def _of_this_machine(line: str, where: str, collected: _Collected) -> bool:
    """Take ``NAME @ file:///...``, as pip freeze writes it; say whether the line was one.

    conda's pip freeze names places on the machine that built the package. They are nowhere, but the
    name of a wheel there has the version.
    """
    match = _FILE_URL.match(line)
    if match is None:
        return False
    from urllib.request import url2pathname  # brings HTTP along; few need it

    path = Path(url2pathname(urlsplit(match["url"]).path))
    marker = match["marker"] or ""
    if path.exists():
        if marker:
            raise _unreadable(line, where, "a local package has no marker; it is for everyone")
        collected.local.append(path.resolve())
        if match["extras"]:
            collected.extras[path.resolve()] = match["extras"]
        return True
    wheel = re.match(r"[^-]+-([^-]+)-.*\.whl$", path.name)
    if wheel is None:
        raise InvalidRequirements(
            f"{where}: {match['name']} is at a place that is not on this machine.",
            why=f"There is no {path}.",
            hint="Write requirements by 'pip list --format=freeze', which names versions.",
            code="malformed",
        )
    pin = f"{match['name']}{match['extras'] or ''}=={wheel[1]}{marker}"
    collected.specifiers.append(_specifier(pin, where))
    collected.notes.append(
        f"{match['name']} was installed from {path}, which is not here; {wheel[1]} of the index "
        "stands in for it"
    )
    return True


def _unreadable(line: str, where: str, why: str) -> InvalidRequirements:
    return InvalidRequirements(
        f"{where}: {line!r} cannot be locked.",
        why=why,
        hint="Write NAME==VERSION, or the folder of a local package.",
        code="malformed",
    )


def _read_lock(path: Path, collected: _Collected) -> None:
    for package in Lock.from_bytes(path.read_bytes()).packages:
        marker = "" if package.marker is None else f" ; {package.marker}"
        collected.specifiers.append(f"{package.name}=={package.version}{marker}")


def _read_pyproject(path: Path, collected: _Collected) -> None:
    try:
        document = parse_toml(_text(path))
    except ValueError as error:
        raise InvalidRequirements(f"{path.name} is not TOML.", why=str(error)) from error
    project = document.get("project")
    if not isinstance(project, dict) or "dependencies" in project.get("dynamic", []):
        raise InvalidRequirements(
            f"{path.name} lists no dependencies under [project].",
            hint="Add [project] dependencies, or name a requirements file in samovar.toml.",
            code="no_requirements",
        )
    for line in project.get("dependencies", []):
        collected.specifiers.append(_specifier(str(line), path.name))
