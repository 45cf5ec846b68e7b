"""The documentation is true: every command is there, links lead somewhere, examples run."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
import re
import sys
from pathlib import Path

import click
import pytest
from numpydoc.validate import validate

import samovar.core
from samovar.cli.application import application
from samovar.cli.commands import COMMANDS

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/**/*.md")])
CLI_PAGE = ROOT / "docs" / "reference" / "cli.md"
EVERYWHERE = {"--json", "--offline", "--help", "--version"}
CORE_MODULES = [
    f"samovar.core.{module.name}" for module in pkgutil.iter_modules(samovar.core.__path__)
]


def slug(heading: str) -> str:
    """Give the anchor that forges make of a heading."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def without_code(text: str) -> str:
    return re.sub(r"```.*?```", "", text, flags=re.DOTALL)


def sections(page: Path) -> dict[str, str]:
    """Give the text below each second-level heading."""
    parts = re.split(r"^## (.+)$", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page: Path) -> None:
    text = without_code(page.read_text(encoding="utf-8"))
    lost = []
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        linked = page if not name else (page.parent / name)
        if not linked.exists():
            lost.append(target)
        elif anchor and linked.suffix == ".md":
            headings = re.findall(r"^#+ (.+)$", linked.read_text(encoding="utf-8"), re.MULTILINE)
            if anchor not in {slug(heading) for heading in headings}:
                lost.append(target)
    assert lost == []


def test_every_page_can_be_reached_from_the_readme() -> None:
    seen: set[Path] = set()
    waiting = [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        if page in seen:
            continue
        seen.add(page)
        for target in re.findall(r"\]\(([^)\s#:]+)", page.read_text(encoding="utf-8")):
            linked = (page.parent / target).resolve()
            if linked.is_dir() and (linked / "README.md").exists():
                linked = linked / "README.md"
            if linked.suffix == ".md" and linked.exists():
                waiting.append(linked)
    lost = {page.relative_to(ROOT).as_posix() for page in PAGES} - {
        page.relative_to(ROOT).as_posix() for page in seen
    }
    assert lost == set()


def test_every_command_has_a_section_and_every_section_a_command() -> None:
    documented = [name.removeprefix("samovar ") for name in sections(CLI_PAGE) if "samovar" in name]
    assert documented == list(COMMANDS)


def _options(command: click.Command) -> set[str]:
    names = {
        name
        for parameter in command.params
        if isinstance(parameter, click.Option) and not parameter.hidden
        for name in (*parameter.opts, *parameter.secondary_opts)
        if name.startswith("--")
    }
    if isinstance(command, click.Group):
        for child in command.commands.values():
            names |= _options(child)
    return names


@pytest.mark.parametrize("name", COMMANDS)
def test_a_commands_section_names_exactly_its_options(name: str) -> None:
    command = application.get_command(click.Context(application), name)
    assert command is not None
    documented = set(
        re.findall(r"(?<![\w-])--[a-z][a-z0-9-]*", sections(CLI_PAGE)[f"samovar {name}"])
    )
    assert _options(command) - documented - EVERYWHERE == set()
    assert documented - _options(command) - EVERYWHERE == set()


@pytest.mark.parametrize(
    "page", [page for page in PAGES if "decisions" not in page.parts], ids=lambda page: page.name
)
def test_commands_in_examples_exist(page: Path) -> None:
    blocks = re.findall(r"```(?:sh|console)\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    used = {
        word
        for block in blocks
        for word in re.findall(r"^(?:\$ )?samovar ([a-z][a-z-]*)", block, re.M)
    }
    assert used - set(COMMANDS) == set()


def test_decisions_are_numbered_and_listed() -> None:
    folder = ROOT / "docs" / "decisions"
    pages = sorted(folder.glob("[0-9]*.md"))
    numbers = [page.name[:4] for page in pages]
    assert len(set(numbers)) == len(numbers)
    headings = [page.read_text(encoding="utf-8").splitlines()[0] for page in pages]
    assert [h for h, n in zip(headings, numbers, strict=True) if not h.startswith(f"# {n}: ")] == []
    index = (folder / "README.md").read_text(encoding="utf-8")
    assert [page.name for page in pages if f"({page.name})" not in index] == []


def test_every_dependency_has_its_reason() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = {re.match(r"[A-Za-z0-9._-]+", line)[0].lower() for line in project["dependencies"]}  # type: ignore[index]
    text = (ROOT / "docs" / "decisions" / "dependencies.md").read_text(encoding="utf-8")
    assert wanted - set(re.findall(r"^\| ([a-z0-9._-]+) \|", text, re.MULTILINE)) == set()


def test_locked_development_requirements_answer_the_project() -> None:
    document = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    lines = list(document["project"]["dependencies"])
    for group in ("test", "lint", "dev"):
        lines += [line for line in document["dependency-groups"][group] if isinstance(line, str)]
    wanted = {re.match(r"[A-Za-z0-9._-]+", line)[0].lower() for line in lines}  # type: ignore[index]
    text = (ROOT / "requirements" / "dev.txt").read_text(encoding="utf-8")
    assert wanted - set(re.findall(r"^([a-z0-9._-]+)==", text, re.MULTILINE)) == set()


@pytest.mark.parametrize("name", CORE_MODULES)
def test_examples_in_docstrings_run(name: str) -> None:
    outcome = doctest.testmod(importlib.import_module(name), report=True)
    assert outcome.failed == 0


# Asked of public functions: a summary in one imperative line, parameters that are those of the
# signature, documented errors that have a description. Examples and See Also are not asked for.
CHECKED = {
    "GL03", "GL07", "GL08", "SS03", "SS05", "PR01", "PR02", "PR03", "PR05", "PR06", "RT03"
}  # fmt: skip
ONLY_WHERE_SECTIONS_ARE = {"PR01"}


def _public(name: str) -> list[str]:
    module = importlib.import_module(name)
    return [
        f"{name}.{key}"
        for key, value in vars(module).items()
        if not key.startswith("_") and callable(value) and getattr(value, "__module__", "") == name
    ]


@pytest.mark.parametrize("name", [path for module in CORE_MODULES for path in _public(module)])
def test_docstrings_of_core_are_valid(name: str) -> None:
    found = validate(name)
    docstring = str(found["docstring"])
    asked = CHECKED if "Parameters" in docstring else CHECKED - ONLY_WHERE_SECTIONS_ARE
    assert [f"{code}: {text}" for code, text in found["errors"] if code in asked] == []
