from pathlib import Path

import pytest

from samovar.cli.init import asked
from samovar.errors import InvalidModel, InvalidProject
from samovar.project.adopt import Others, adopt
from samovar.project.config import read_project
from samovar.project.found import FoundModel, Wishes
from samovar.project.python_version import allowed_minors, guess_python
from samovar.project.sources import read_sources


def detect(path: Path) -> FoundModel | None:
    """Stand in for the audit: whatever begins with 'model' is one."""
    if not path.read_bytes().startswith(b"model"):
        return None
    return FoundModel(
        format="pickle",
        library_versions={"scikit-learn": "1.4.2"},
        python_hint=">=3.10,<3.14",
        root="sklearn.pipeline.Pipeline",
    )


def run(folder: Path, **wishes):
    return adopt(
        folder,
        Wishes(**wishes),
        Others(
            detect=detect,
            propose=lambda _sources, found: [
                f"{n}=={v}" for n, v in found.library_versions.items()
            ],
            asked=lambda requirements: asked(requirements, folder),
            default_python="3.12",
        ),
    )


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "My Web"
    (folder / "models").mkdir(parents=True)
    (folder / "models" / "model.pkl").write_bytes(b"model")
    (folder / "requirements.txt").write_text("flask\n")
    (folder / "server.py").write_text(
        "import pickle\nfrom flask import Flask\napp = Flask(__name__)\n"
        "model = pickle.load(open('models/model.pkl', 'rb'))\n"
        "@app.route('/')\ndef index():\n    return 'Привет'\n",
        encoding="utf-8",
    )
    (folder / "client.py").write_text(
        "import requests\nrow = [1, 0, 1, 24]\nrequests.post('http://x/predict', json=row)\n"
    )
    return folder


def test_everything_is_found_without_running_anything(folder):
    (folder / "evil.py").write_text("raise SystemExit('imported')\n")
    adoption = run(folder)
    project = adoption.project
    assert project.project.name == "my-web"
    assert project.project.python == "3.12"
    assert project.model.path == "models/model.pkl"
    assert project.service.app == "server:app"
    assert project.service.message == "Привет"
    # The model records what the requirements leave open.
    assert project.environment.requirements == ("requirements.txt", "scikit-learn==1.4.2")
    assert (folder / "examples.json").read_text() == "[\n  [1, 0, 1, 24]\n]\n"
    assert set(adoption.written) == {"samovar.toml", "examples.json", ".gitignore"}
    assert "*venv/" in (folder / ".gitignore").read_text().splitlines()
    assert read_project(folder) == project


def test_running_again_changes_nothing_and_keeps_what_a_user_wrote(folder):
    run(folder)
    text = (folder / "samovar.toml").read_text()
    text = text.replace('method = "predict"', 'method = "predict_proba"').replace("# What", "# My")
    (folder / "samovar.toml").write_text(text)
    again = run(folder)
    assert again.written == ()
    assert (folder / "samovar.toml").read_text() == text
    assert again.project.model.method == "predict_proba"


def test_a_partial_samovar_toml_is_completed(folder):
    (folder / "samovar.toml").write_text('# mine\n[project]\nname = "titanic"\npython = "3.10"\n')
    project = run(folder).project
    text = (folder / "samovar.toml").read_text()
    assert text.startswith("# mine\n")
    assert (project.project.name, project.project.python) == ("titanic", "3.10")
    assert project.model.path == "models/model.pkl"


def test_gitignore_is_only_added_to(folder):
    (folder / ".gitignore").write_bytes(b"data/\r\nsecret")
    run(folder)
    assert (folder / ".gitignore").read_bytes() == b"data/\r\nsecret\r\n*venv/\r\n"


def test_several_models_are_listed_unless_the_code_opens_one(folder):
    (folder / "old.pkl").write_bytes(b"model")
    assert run(folder).project.model.path == "models/model.pkl"
    (folder / "server.py").write_text("")
    (folder / "samovar.toml").unlink()
    with pytest.raises(InvalidModel, match=r"models/model\.pkl, old\.pkl") as caught:
        run(folder)
    assert caught.value.code == "several_models"
    assert run(folder, model="old.pkl").project.model.path == "old.pkl"


def test_no_model_is_said_and_nothing_is_written(folder):
    (folder / "models" / "model.pkl").write_bytes(b"text")
    with pytest.raises(InvalidModel, match=r"^models/model\.pkl is no model, whatever"):
        run(folder)
    (folder / "models" / "model.pkl").unlink()
    with pytest.raises(InvalidModel, match=r"^There is no model in"):
        run(folder)
    assert not (folder / "samovar.toml").exists()
    assert not (folder / ".gitignore").exists()


def test_a_named_model_that_is_none_is_said(folder):
    for name in ("absent.pkl", "server.py"):
        with pytest.raises(InvalidModel):
            run(folder, model=name)


def test_a_broken_samovar_toml_is_kept(folder):
    (folder / "samovar.toml").write_text("[project\n")
    with pytest.raises(InvalidProject):
        run(folder)
    assert (folder / "samovar.toml").read_text() == "[project\n"


def test_a_file_that_is_no_python_is_passed_over_with_a_note(folder):
    (folder / "broken.py").write_text("def (:\n")
    (folder / "latin.py").write_bytes(b"# \xe9\nx = 1\n")
    notes = run(folder).notes
    assert any("broken.py" in note for note in notes)


def test_without_requirements_they_are_proposed(folder):
    (folder / "requirements.txt").unlink()
    assert run(folder).project.environment.requirements == ("scikit-learn==1.4.2",)


def test_a_name_that_is_none_becomes_one(folder, tmp_path):
    odd = tmp_path / "___"
    folder.rename(odd)
    assert run(odd).project.project.name == "model"


def test_pyproject_gives_name_and_version(folder):
    (folder / "pyproject.toml").write_text('[project]\nname = "Titanic"\nversion = "1.2"\n')
    project = run(folder).project
    assert (project.project.name, project.project.version) == ("titanic", "1.2")


@pytest.mark.parametrize(
    ("name", "text", "minor"),
    [
        (".python-version", "3.10.4\n", "3.10"),
        ("runtime.txt", "python-3.13.1", "3.13"),
        ("Dockerfile", "FROM docker.io/python:3.10-slim\n", "3.10"),
        ("environment.yml", "dependencies:\n  - python=3.13\n", "3.13"),
        ("pyproject.toml", '[project]\nrequires-python = "==3.11.*"\n', "3.11"),
        ("my-venv/pyvenv.cfg", "version = 3.10.2\n", "3.10"),
    ],
)
def test_the_python_version_is_read_from_what_lies_around(folder, name, text, minor):
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_text(text)
    assert run(folder).project.project.python == minor


def test_a_hint_that_leaves_one_version_decides():
    assert allowed_minors("nonsense") == []
    assert guess_of(Path("/nowhere"), hint=">=3.10,<3.11").minor == "3.10"


def guess_of(folder, hint, notes=None):
    return guess_python(
        folder, hint=hint, environments=[], default="3.12", notes=[] if notes is None else notes
    )


def test_a_version_that_the_model_rules_out_is_passed_over(tmp_path):
    notes = []
    (tmp_path / ".python-version").write_text("3.13\n")
    assert guess_of(tmp_path, ">=3.9,<3.12", notes).minor == "3.11"
    assert ".python-version says Python 3.13" in notes[0]


def test_a_model_older_than_every_supported_python_is_told(tmp_path):
    notes = []
    assert guess_of(tmp_path, ">=3.6,<3.10", notes).minor == "3.12"
    assert "samovar on none of these" in notes[0]


def test_a_range_of_pyproject_narrows_the_choice(tmp_path):
    (tmp_path / "pyproject.toml").write_text('[project]\nrequires-python = ">=3.10,<3.12"\n')
    assert guess_of(tmp_path, ">=3.9,<3.15").minor == "3.11"


def test_factories_records_and_dumped_bodies_are_found(tmp_path):
    (tmp_path / "wsgi.py").write_text("def create_app():\n    return 1\n")
    (tmp_path / "api.py").write_text("import fastapi\nservice = fastapi.FastAPI()\n")
    (tmp_path / "c.py").write_text(
        "import json, requests\nrequests.post(u, data=json.dumps({'a': 1}))\n"
        "requests.post(u, json=[[1], [2]])\nrequests.post(u, json=unknown)\n"
    )
    sources = read_sources(tmp_path, ["wsgi.py", "api.py", "c.py"])
    assert [one.name for one in sources.applications] == ["wsgi:create_app()", "api:service"]
    assert sources.posted == ({"a": 1}, [[1], [2]])
    assert sources.imports == ("fastapi", "json", "requests")
