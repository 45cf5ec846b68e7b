from pathlib import Path

import pytest

from samovar.errors import InvalidProject
from samovar.project.config import parse_project, read_project

GOOD = """\
[project]
name = "titanic"
version = "1.0.0"
python = "3.11"

[model]
path = "models/model.pkl"
method = "predict_proba"
trusted = ["a.B"]

[service]
app = "server:app"
code = ["server.py"]

[environment]
requirements = "requirements.txt"
platforms = ["linux/amd64"]

[train]
command = "python train.py"
data = ["data/train.csv"]
env = ["TZ"]
"""


def parse(text: str):
    return parse_project(text, Path("/somewhere"))


def test_every_section_is_read():
    project = parse(GOOD)
    assert project.project.name == "titanic"
    assert project.model.trusted == ("a.B",)
    assert project.service.code == ("server.py",)
    assert project.environment.requirements == ("requirements.txt",)
    assert project.train.data == ("data/train.csv",)
    assert project.examples.path is None


@pytest.mark.parametrize(
    ("change", "said", "hint"),
    [
        (("[model]", "[modell]"), "line 6: [modell] is not a section", "'model'"),
        (("method =", "methd ="), "line 8: model.methd is not a key", "'method'"),
        (('"titanic"', '"Titanic!"'), "line 2", "samovar-toml"),
        (('"titanic"', "7"), "line 2: project.name is not a string", "samovar-toml"),
        (('python = "3.11"', 'python = "3.11.4"'), "line 4", "samovar-toml"),
        (('python = "3.11"\n', ""), "[project] lacks python", "samovar-toml"),
        (('"predict_proba"', '"predit"'), "line 8", "'predict'"),
        (('"models/model.pkl"', '"../model.pkl"'), "line 7", "samovar-toml"),
        (('"models/model.pkl"', '"/model.pkl"'), "line 7", "samovar-toml"),
        (('["server.py"]', "[1]"), "line 13: service.code is not a list", "samovar-toml"),
        (('"linux/amd64"', '"linux"'), "is not a platform", "linux/"),
        (("[project]", "project = 1"), "", ""),
    ],
)
def test_a_wrong_key_is_named_with_its_line_and_the_nearest_known_one(change, said, hint):
    with pytest.raises(InvalidProject) as caught:
        parse(GOOD.replace(*change))
    assert said in caught.value.message
    assert hint in (caught.value.hint or "")


def test_what_is_not_toml_is_placed():
    with pytest.raises(InvalidProject) as caught:
        parse("[project\n")
    assert "line 1" in (caught.value.hint or "")


def test_a_folder_without_the_file_says_what_to_do(tmp_path):
    with pytest.raises(InvalidProject) as caught:
        read_project(tmp_path)
    assert "samovar init" in (caught.value.hint or "")


def test_a_file_with_a_byte_order_mark_is_read(tmp_path):
    (tmp_path / "samovar.toml").write_bytes(b"\xef\xbb\xbf" + GOOD.encode())
    assert read_project(tmp_path).folder == tmp_path


def test_a_file_in_another_encoding_is_said(tmp_path):
    (tmp_path / "samovar.toml").write_bytes(GOOD.encode("utf-16"))
    with pytest.raises(InvalidProject, match="UTF-8"):
        read_project(tmp_path)
