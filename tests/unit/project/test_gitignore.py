import subprocess

import pytest

from samovar.project.files import list_files
from samovar.project.gitignore import is_ignored, parse_rules

TREE = (
    "a.py", "a.pyc", "b c.txt", "#x", "!y", "build/lib/a.py", "docs/a/b/c.md", "docs/c.md",
    "keep.pyc", "logs/a.log", "logs/keep.log", "nested/.gitignore", "nested/own.txt",
    "nested/deep/own.txt", "own.txt", "pkg/build/x.py", "x1.dat", "x2.dat", "xa.dat", "z/foo/bar",
    "foo/bar", "trail ", "sub/temp/file", "temp",
)  # fmt: skip


@pytest.mark.parametrize(
    "text",
    [
        "*.pyc\n!keep.pyc",
        "/build\n",
        "build/",
        "docs/**/c.md",
        "docs/**",
        "**/bar",
        "foo/bar",
        "x[0-9].dat",
        "x[!0-9].dat",
        "x?.dat",
        "logs/*\n!logs/keep.log",
        "logs\n!logs/keep.log",
        "\\#x\n\\!y",
        "trail\\ \nb c.txt   ",
        "temp/",
        "*",
        "*\n!*/\n!*.py",
        "a.py\r\nown.txt\r\n",
        "x[",
        "/",
        "",
    ],
)
def test_the_same_files_as_git_takes(tmp_path, text):
    with_git, without = tmp_path / "with", tmp_path / "without"
    for folder in (with_git, without):
        for name in TREE:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text("own.txt\n" if name.endswith(".gitignore") else "")
        (folder / ".gitignore").write_bytes(text.encode())
    subprocess.run(["git", "init", "-q", str(with_git)], check=True)
    assert list_files(without) == list_files(with_git)


def test_a_rule_counts_from_its_own_folder():
    rules = parse_rules("/own.txt", "nested/")
    assert is_ignored("nested/own.txt", rules)
    assert not is_ignored("own.txt", rules)
    assert not is_ignored("nested/deep/own.txt", rules)
