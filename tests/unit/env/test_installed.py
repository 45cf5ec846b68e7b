"""A distribution is read as its RECORD lists it, and nothing outside its folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from samovar.env.installed import find_installed

if TYPE_CHECKING:
    from pathlib import Path


def install(folder: Path, record: str, metadata: str = "Name: My.Lib\n") -> None:
    information = folder / "my_lib-1.0.dist-info"
    information.mkdir(parents=True)
    (information / "RECORD").write_text(record)
    (information / "METADATA").write_text(metadata)


def test_its_modules_are_given_without_tests(tmp_path: Path):
    install(tmp_path, "lib/__init__.py,,\nlib/tests/test_a.py,,\nsingle.py,,\nlib/x.so,,\n")
    for path in ("lib/__init__.py", "lib/tests/test_a.py", "single.py"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(f"# {path}")
    found = find_installed(tmp_path, "my-lib")
    assert found is not None
    assert found.modules == {"lib", "single"}
    assert list(found.sources()) == [b"# lib/__init__.py", b"# single.py"]


def test_a_record_that_leads_out_of_the_folder_is_not_followed(tmp_path: Path):
    site = tmp_path / "site"
    (tmp_path / "secret.py").write_text("secret")
    install(site, f"../secret.py,,\n{tmp_path}/secret.py,,\nlinked.py,,\nmissing.py,,\n")
    (site / "linked.py").symlink_to(tmp_path / "secret.py")
    found = find_installed(site, "my-lib")
    assert found is not None
    assert list(found.sources()) == []


def test_what_is_not_there_or_has_no_record_is_none(tmp_path: Path):
    (tmp_path / "bare-1.0.dist-info").mkdir()
    assert find_installed(tmp_path, "bare") is None
    assert find_installed(tmp_path, "absent") is None


@pytest.mark.parametrize(
    ("metadata", "record", "place"),
    [
        ("Project-URL: Docs, https://d.org/\nProject-URL: Change Log, https://c.org/\n", "", "https://c.org/"),
        ("Project-URL: documentation, https://d.org/\n", "", "https://d.org/"),
        ("Home-page: https://h.org/\n", "", "https://h.org/"),
        ("Project-URL: Changelog, file:///etc/passwd\n", "CHANGES.rst,,\n", "CHANGES.rst"),
        ("Project-URL: Changelog, https://c.org/\x1b[2J\n", "lib/changelog.md,,\n", "changelog.md"),
        ("Name: x\n", "lib/a.py,,\n", None),
    ],
)  # fmt: skip
def test_the_place_of_its_changes_is_an_address_or_a_file(
    tmp_path: Path, metadata: str, record: str, place: str | None
):
    install(tmp_path, record, metadata)
    found = find_installed(tmp_path, "my-lib")
    assert found is not None
    assert found.changelog() == place
