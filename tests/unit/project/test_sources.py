import pytest

from samovar.project.applications import find_applications
from samovar.project.posted import find_posted, rows_of
from samovar.project.sources import read_sources
from samovar.project.syntax import Module, UnreadableSourceError


def module(text: str) -> Module:
    return Module("server", text.encode())


def names(text: str) -> list[str]:
    return [one.name for one in find_applications(module(text), "server.py")]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("from flask import Flask\napp = Flask(__name__)", ["server:app"]),
        ("import flask as f\nweb: f.Flask = f.Flask('x')", ["server:web"]),
        ("from fastapi import FastAPI as API\nservice = application = API()",
         ["server:service", "server:application"]),
        ("import falcon.asgi\napp = falcon.asgi.App()", ["server:app"]),
        ("from django.core.wsgi import get_wsgi_application\napplication = get_wsgi_application()",
         ["server:application"]),
        ("from dash import Dash\npage = Dash()", ["server:page.server"]),
        ("try:\n    from flask import Flask\n    app = Flask('x')\nexcept ImportError:\n    pass",
         ["server:app"]),
        ("def create_app(config=None): return 1", ["server:create_app()"]),
        ("def create_app(config): return 1", []),
        ("def create_app(*, config): return 1", []),
        ("from flask import Flask\ndef make():\n  return Flask('x')", ["server:make()"]),
        ("from flask import Flask\ndef make():\n  a = Flask('x')\n  return a\napp = make()",
         ["server:app"]),
        ("from flask import Flask\nif __name__ == '__main__':\n    app = Flask('x')", []),
        ("from flask import Flask\nclass A:\n    app = Flask('x')", []),
        ("app = Application()", []),
    ],
)  # fmt: skip
def test_applications_are_found_where_an_import_makes_them(text, found):
    assert names(text) == found


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("open('models/model.pkl')", "models/model.pkl"),
        ("open(r'models\\model.pkl')", "models/model.pkl"),
        ("Path('models') / 'model.pkl'", "models/model.pkl"),
        ("HERE = Path(__file__).parent\nHERE / 'models' / 'model.pkl'", "models/model.pkl"),
        ("D = 'models'\nos.path.join(D, 'model.pkl')", "models/model.pkl"),
        ("os.path.join(BASE, 'models', 'model.pkl')", "models/model.pkl"),
        ("Path('models').joinpath('model.pkl')", "model.pkl"),
        ("f'{BASE}/models/model.pkl'", "models/model.pkl"),
        ("'models/' + 'model.pkl'", "models/model.pkl"),
        ("BASE + '/model.pkl'", "model.pkl"),
        ("joblib.load(filename='model.pkl')", "model.pkl"),
    ],
)
def test_paths_are_put_together(text, path):
    assert path in list(module(text).paths())


def test_a_name_that_means_itself_ends():
    assert "x.pkl" in list(module("a = a + '/x.pkl'\nb = c\nc = b\nopen(b)").paths())
    assert list(find_posted(module("a = [a]\nb = [c]\nc = [b]\npost(u, json=a)"))) == []


def test_names_that_multiply_are_not_followed_forever():
    doubled = "\n".join(f"a{i} = a{i + 1} + a{i + 1}" for i in range(60))
    assert list(module(f"{doubled}\na60 = 'x.pkl'\nopen(a0)").paths())
    listed = "\n".join(f"a{i} = [a{i + 1}, a{i + 1}]" for i in range(60))
    assert list(find_posted(module(f"{listed}\na60 = [1]\npost(u, json=a0)"))) == []


@pytest.mark.parametrize(
    ("text", "bodies"),
    [
        ("requests.post(u, json=[1, 2])", [[1, 2]]),
        ("client.post(u, json={'a': 1, 'b': None})", [{"a": 1, "b": None}]),
        ("row = [1, 2]\nsession.post(u, json=row)", [[1, 2]]),
        ("AGE = 24\npost(u, json=[1, AGE, None])", [[1, 24, None]]),
        ("post(u, json=[1, unknown])", []),
        ("post(u, json=dict(a=1))", [{"a": 1}]),
        ("post(u, json=dict(a=unknown))", []),
        ("post(u, data=json.dumps([1]))", [[1]]),
        ("body = json.dumps([1]).encode()\nurllib.request.Request(u, data=body)", [[1]]),
        ("for row in [[1], [2]]:\n    post(u, json=row)", [[1], [2]]),
        ("[post(u, json=row) for row in ([1], [2])]", [[1], [2]]),
        ("post(u, json=[])", []),
        ("post(u, json={**other, 'a': 1})", []),
        ("post(u, json={1: 2})", []),
        ("get(u, json=[1])", []),
    ],
)
def test_bodies_are_found(text, bodies):
    assert list(find_posted(module(text))) == bodies


@pytest.mark.parametrize(
    ("bodies", "texts", "rows"),
    [
        ([[1, 2], [3, 4]], False, [[1, 2], [3, 4]]),
        ([[[1, 2], [3, 4]], [1, 2]], False, [[1, 2], [3, 4]]),
        ([{"features": [1, 2]}], False, [[1, 2]]),
        ([{"rows": [{"a": 1}, {"a": 2}]}], False, [{"a": 1}, {"a": 2}]),
        ([{"a": 1}, {"b": 1}, [1]], False, [{"a": 1}]),
        ([[1, {"nested": 2}]], False, []),
        ([[b"bytes"], [1e999], [{1, 2}], [3]], False, [[3]]),
        ([["one text"]], False, [["one text"]]),
        ([["one text", "two"], {"text": "three"}], True, ["one text", "two", "three"]),
        ([], False, []),
    ],
)
def test_rows_are_of_one_kind_and_each_but_once(bodies, texts, rows):
    assert rows_of(bodies, texts=texts) == rows


def test_the_projects_own_modules_are_no_requirements(tmp_path):
    files = {
        "server.py": "import flask, helpers, package.inner, inside\nfrom . import more",
        "helpers.py": "", "package/__init__.py": "", "package/inner.py": "import redis",
        "package/redis.py": "", "src/inside/__init__.py": "", "scripts/run.py": "import beside",
        "scripts/beside.py": "", "tests/test_x.py": "import pytest",
    }  # fmt: skip
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert read_sources(tmp_path, files).imports == ("flask", "redis")


def test_notebooks_are_read_without_what_only_ipython_understands(tmp_path):
    (tmp_path / "a.ipynb").write_text(
        '{"cells": [{"cell_type": "code", "source": ["%load_ext x\\n", "import numpy"]},'
        ' {"cell_type": "code", "source": "%%bash\\nrm -r x"},'
        ' {"cell_type": "code", "source": "if 1:\\n    !ls\\n"},'
        ' {"cell_type": "markdown", "source": "import nothing"}]}'
    )
    (tmp_path / "b.ipynb").write_text("[]")
    sources = read_sources(tmp_path, ["a.ipynb", "b.ipynb"])
    assert sources.imports == ("numpy",)
    assert sources.unreadable == ("b.ipynb: it is no notebook",)


@pytest.mark.parametrize(
    ("source", "why"),
    [
        (b"def (:", "line 1"),
        (b"x = 1\n\n#\xff\n", "byte 8 is not utf-8"),
        (b"# coding: nonsense\n", "unknown encoding"),
        (b"x = 1\0", "null"),
        (b" " * (2 * 1024 * 1024 + 1), "too large"),
    ],
)
def test_what_is_no_python_is_told(source, why):
    with pytest.raises(UnreadableSourceError, match=why):
        Module("a", source)


def test_no_warning_of_the_compiler_is_shown(recwarn):
    Module("a", b"x = '\\d'\n1 is 1\n")
    assert len(recwarn) == 0
