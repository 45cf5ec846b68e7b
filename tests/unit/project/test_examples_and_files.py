import shutil
import subprocess

import pytest

from samovar.errors import InvalidInput, InvalidProject, NotFound
from samovar.project.config import parse_project
from samovar.project.examples import read_examples
from samovar.project.files import list_files, select_code
from samovar.project.leaving import reason_to_leave


def write(folder, name, text):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("name", "text", "columns", "rows"),
    [
        ("a.json", "[[1, 2.5, null], [3, 4.0, true]]", None, ([1, 2.5, None], [3, 4.0, True])),
        ("a.json", "[1, 0, 1, 24]", None, ([1, 0, 1, 24],)),
        ("a.json", '["one text", "two"]', None, ("one text", "two")),
        ("a.json", '[{"a": 1, "b": "x"}]', ("a", "b"), ([1, "x"],)),
        ("a.jsonl", '{"a": 1}\n\n{"a": null}\n', ("a",), ([1], [None])),
        (
            "a.csv",
            "n,f,s,code,b\n1,1.5,NA,01234,true\n2,,x,7,\n",
            ("n", "f", "s", "code", "b"),
            ([1, 1.5, "NA", "01234", True], [2, None, "x", "7", None]),
        ),
        ("a.csv", '\ufeffa,b\n"x, y","line\nbreak"\n', ("a", "b"), (["x, y", "line\nbreak"],)),
        ("a.csv", "a,b\r\n1,u\u2028v\x0bw\r\n", ("a", "b"), ([1, "u\u2028v\x0bw"],)),
        ("a.csv", "id\n" + "9" * 30 + "\n", ("id",), (["9" * 30],)),
        ("a.csv", "id\n" + "9" * 6000 + "\n", ("id",), (["9" * 6000],)),
        ("a.csv", "x\n1e400\n", ("x",), (["1e400"],)),
        ("a.csv", "t\n" + "w " * 200_000 + "\n", ("t",), (["w " * 200_000],)),
        ("a.jsonl", '{"a": "x\u2028y"}\r\n', ("a",), (["x\u2028y"],)),
    ],
)
def test_values_keep_the_type_they_were_written_with(tmp_path, name, text, columns, rows):
    examples = read_examples(write(tmp_path, name, text))
    assert examples.columns == columns
    assert examples.rows == rows
    assert [[type(v) for v in row] for row in examples.rows if isinstance(row, list)] == [
        [type(v) for v in row] for row in rows if isinstance(row, list)
    ]


def test_parquet_keeps_its_types(tmp_path):
    import pyarrow as arrow
    from pyarrow import parquet

    parquet.write_table(arrow.table({"n": [1, None], "s": ["01", "x"]}), tmp_path / "a.parquet")
    examples = read_examples(tmp_path / "a.parquet")
    assert examples.columns == ("n", "s")
    assert examples.rows == ([1, "01"], [None, "x"])


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.json", "[[1, 2], [3]]", "row 1 has 1 values"),
        ("a.json", '[{"a": 1}, {"b": 2}]', "row 0 lacks"),
        ("a.json", "[[1], {}]", "different kinds"),
        ("a.json", "{", "not JSON"),
        ("a.json", "[NaN]", "not JSON"),
        ("a.json", '{"a": 1}', "not a list"),
        ("a.json", "[[1e400]]", "larger than any number"),
        ("a.json", '["\\ud800"]', "surrogate"),
        ("a.json", "[" * 100_000, "not JSON"),
        ("a.json", "[[1" + "0" * 5000 + "]]", "not JSON"),
        ("a.csv", 'a,b\n1,"x\ny"\n"1\n",2,3\n', "line 4 has 3 cells"),
        ("a.csv", 'a,b\n1,2\n"open,3\n', "line 3 is malformed"),
        ("a.jsonl", "[1]\n[2\n", "line 2"),
        ("a.csv", "", "empty"),
        ("a.csv", "a,b\n1,2\n3\n", "line 3 has 1 cells"),
        ("a.csv", "a,a\n1,2\n", "twice"),
        ("a.parquet", "x", "not a Parquet file"),
    ],
)
def test_what_is_malformed_is_placed(tmp_path, name, text, said):
    with pytest.raises(InvalidInput) as caught:
        read_examples(write(tmp_path, name, text))
    assert said in str(caught.value)


def test_a_damaged_parquet_file_is_said(tmp_path):
    import pyarrow as arrow
    from pyarrow import parquet

    whole = tmp_path / "whole.parquet"
    parquet.write_table(arrow.table({"n": list(range(1000))}), whole)
    data = whole.read_bytes()
    cut = tmp_path / "cut.parquet"
    cut.write_bytes(data[:40] + data[-40:])
    with pytest.raises(InvalidInput, match="not a Parquet file"):
        read_examples(cut)


def test_an_absent_file_is_said(tmp_path):
    with pytest.raises(NotFound):
        read_examples(tmp_path / "examples.json")


@pytest.mark.parametrize(
    "path",
    ["tls.pem", "a/.env", "id_rsa", "b/data/x.txt", "x.csv", "test_a.py", "tests/x.py", "m.pkl"],
)
def test_secrets_data_tests_and_models_stay_behind_with_a_reason(path):
    assert reason_to_leave(path, 10)


def test_code_goes_along_and_our_own_files_do_not():
    assert reason_to_leave("pkg/mod.py", 10) is None
    assert reason_to_leave("templates/a.html", 10) is None
    assert reason_to_leave("samovar.toml", 10) == ""
    assert "MiB" in reason_to_leave("big.bin", 11 * 1024 * 1024)


def project_in(folder, code=""):
    return parse_project(
        f'[project]\nname = "p"\npython = "3.11"\n[model]\npath = "m.pkl"\n[service]\n{code}',
        folder,
    )


def test_environments_and_caches_are_passed_over(tmp_path):
    for name in ("server.py", "my-venv/lib/x.py", "node_modules/a.js", "__pycache__/a.pyc",
                 "envdir/pyvenv.cfg", "envdir/lib/y.py", ".git/config"):  # fmt: skip
        write(tmp_path, name, "")
    assert list_files(tmp_path) == ["server.py"]


def test_git_decides_where_there_is_a_repository(tmp_path):
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    write(tmp_path, ".gitignore", "secret.py\n")
    write(tmp_path, "secret.py", "")
    write(tmp_path, "server.py", "")
    selection = select_code(project_in(tmp_path))
    assert selection.included == ("server.py",)


def test_named_code_is_taken_as_named(tmp_path):
    write(tmp_path, "a.py", "")
    write(tmp_path, "pkg/b.py", "")
    write(tmp_path, "c.py", "")
    selection = select_code(project_in(tmp_path, 'code = ["a.py", "pkg"]'))
    assert selection.included == ("a.py", "pkg/b.py")
    with pytest.raises(InvalidProject, match="no such file"):
        select_code(project_in(tmp_path, 'code = ["absent.py"]'))


def test_a_link_out_of_the_project_is_refused(tmp_path):
    outside = write(tmp_path, "outside.py", "")
    inside = tmp_path / "project"
    inside.mkdir()
    (inside / "a.py").symlink_to(outside)
    with pytest.raises(InvalidProject, match="leads out"):
        select_code(project_in(inside))


@pytest.mark.parametrize("code", ["", 'code = ["."]', 'code = ["*"]', 'code = ["conf"]'])
def test_a_key_never_goes_along_unasked_whatever_it_is_called(tmp_path, code):
    write(tmp_path, "server.py", "")
    write(tmp_path, "conf/settings.py", "")
    write(tmp_path, "conf/server.txt", "-----BEGIN RSA PRIVATE KEY-----\nMIIE\n")
    write(tmp_path, "conf/TLS.PEM", "")
    write(tmp_path, ".env", "TOKEN=1")
    selection = select_code(project_in(tmp_path, code))
    assert {"conf/server.txt", "conf/TLS.PEM", ".env"}.isdisjoint(selection.included)
    assert set(selection.included) <= {"server.py", "conf/settings.py"}


def test_a_key_that_is_named_itself_goes_along(tmp_path):
    write(tmp_path, "conf/public.pem", "-----BEGIN PUBLIC KEY-----\n")
    selection = select_code(project_in(tmp_path, 'code = ["conf/public.pem"]'))
    assert selection.included == ("conf/public.pem",)


def test_links_to_folders_are_told_and_not_followed(tmp_path):
    write(tmp_path, "elsewhere/secret.py", "")
    write(tmp_path, "project/server.py", "")
    (tmp_path / "project" / "linked").symlink_to(tmp_path / "elsewhere")
    selection = select_code(project_in(tmp_path / "project"))
    assert selection.included == ("server.py",)
    assert selection.left_out == (("linked", "a link to a folder"),)


def test_repositories_within_the_repository_are_looked_into(tmp_path):
    for folder in (tmp_path, tmp_path / "vendored"):
        folder.mkdir(exist_ok=True)
        subprocess.run(["git", "init", "-q", str(folder)], check=True)
    write(tmp_path, "vendored/lib.py", "")
    write(tmp_path, "server.py", "")
    assert list_files(tmp_path) == ["server.py", "vendored/lib.py"]


def test_a_copy_without_the_repository_gives_the_same_files(tmp_path):
    for name in ("a/.gitignore", "a/own.py", "a/kept.py", ".gitignore", "b.log", ".hidden/x.py",
                 "build/lib/old.py", "build/tool.py", "venv/pyvenv.cfg", "venv/x.py"):  # fmt: skip
        write(tmp_path / "with", name, "own.py\n" if name == "a/.gitignore" else "*.log\n")
    shutil.copytree(tmp_path / "with", tmp_path / "without")
    subprocess.run(["git", "init", "-q", str(tmp_path / "with")], check=True)
    subprocess.run(["git", "-C", str(tmp_path / "with"), "add", "."], check=True)
    listed = list_files(tmp_path / "with")
    assert listed == [".gitignore", "a/.gitignore", "a/kept.py", "build/tool.py"]
    assert list_files(tmp_path / "without") == listed


def test_a_pattern_that_is_none_is_said(tmp_path):
    with pytest.raises(InvalidProject):
        select_code(project_in(tmp_path, 'code = ["a**b"]'))


def test_a_parquet_file_gives_the_signature_its_types(tmp_path):
    import pandas as pd

    frame = pd.DataFrame(
        {
            "i": pd.Series([1, 2], dtype="int16"),
            "n": pd.Series([1, None], dtype="Int64"),
            "f": pd.Series([0.5, None], dtype="float32"),
            "b": pd.Series([True, None], dtype="boolean"),
            "c": pd.Categorical(["lo", None], categories=["lo", "hi"], ordered=True),
            "t": pd.to_datetime(["2024-01-01T00:00Z", "2024-01-02T00:00Z"]).tz_convert(
                "Asia/Tokyo"
            ),
            "s": ["01", "x"],
            "l": [[1], [2]],
        }
    )
    frame.to_parquet(tmp_path / "a.parquet")
    assert read_examples(tmp_path / "a.parquet").described == (
        {"name": "i", "dtype": "int16"},
        {"name": "n", "dtype": "Int64", "nullable": True},
        {"name": "f", "dtype": "float32", "nullable": True},
        {"name": "b", "dtype": "boolean", "nullable": True},
        {"name": "c", "dtype": "category", "nullable": True, "categories": ["lo", "hi"],
         "ordered": True},
        {"name": "t", "dtype": "datetime", "timezone": "Asia/Tokyo"},
        {"name": "s", "dtype": "string"},
        "l",
    )  # fmt: skip
