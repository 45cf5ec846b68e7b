import pytest

from samovar.env.conda import read_conda
from samovar.env.requirements import read_requirements
from samovar.errors import InvalidRequirements
from wheels import make_wheel


def read(folder, *sources, **files):
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text)
    return read_requirements(sources, folder)


def test_a_requirements_file_is_read_as_pip_reads_it(tmp_path):
    (tmp_path / "base.txt").write_text("numpy==1.26.4\n")
    (tmp_path / "limits.txt").write_text("scipy<2\n")
    found = read(
        tmp_path,
        "requirements.txt",
        requirements__txt=(
            "-r base.txt\n-c limits.txt\n# comment\n\nscikit-learn[docs] == 1.4.2 ; "
            "python_version >= '3.9'  # why\nflask==3.0.0 \\\n  --hash=sha256:00\n"
            "--extra-index-url https://user:secret@index.example/simple\n--no-binary :all:\n"
        ),
    )
    assert found.specifiers == (
        "numpy==1.26.4",
        "scikit-learn[docs] == 1.4.2 ; python_version >= '3.9'",
        "flask==3.0.0",
    )
    assert found.constraints == ("scipy<2",)
    assert found.options == (
        "--extra-index-url https://user:secret@index.example/simple",
        "--no-binary :all:",
    )


def test_powershell_writes_utf_16_and_it_is_read(tmp_path):
    (tmp_path / "requirements.txt").write_bytes("flask==3.0.0\r\n".encode("utf-16"))
    assert read(tmp_path, "requirements.txt").specifiers == ("flask==3.0.0",)


def test_local_packages_are_told_from_specifiers(tmp_path):
    (tmp_path / "pkg").mkdir()
    (tmp_path / "other").mkdir()
    found = read(
        tmp_path,
        "requirements.txt",
        requirements__txt=f"-e ./pkg[a,b]\n./other\nfile:{tmp_path}/other\nflask\n",
    )
    assert found.local == (tmp_path / "pkg", tmp_path / "other")
    assert found.extras == {tmp_path / "pkg": "[a,b]"}
    assert found.specifiers == ("flask",)


def test_specifiers_may_stand_in_samovar_toml_itself(tmp_path):
    assert read(tmp_path, "flask>=3", "numpy").specifiers == ("flask>=3", "numpy")


def test_pyproject_lists_dependencies(tmp_path):
    found = read(
        tmp_path,
        "pyproject.toml",
        pyproject__toml='[project]\nname = "x"\nversion = "1"\ndependencies = ["flask>=3"]\n',
    )
    assert found.specifiers == ("flask>=3",)


def test_conda_is_translated_and_what_has_no_counterpart_is_said(tmp_path):
    found = read(
        tmp_path,
        "environment.yml",
        environment__yml=(
            "name: x\ndependencies:\n  - python=3.11\n  - conda-forge::numpy=1.26.4=py311_0\n"
            "  - scikit-learn=1.4\n  - pandas>=2\n  - pytorch\n  - libblas=3.9\n  - pip\n"
            "  - pip:\n      - flask==3.0.0\n"
        ),
    )
    assert found.specifiers == (
        "numpy==1.26.4",
        "scikit-learn==1.4.*",
        "pandas>=2",
        "torch",
        "flask==3.0.0",
    )
    assert any("libblas" in note for note in found.notes)


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("requirements.txt", "flask\nnot a requirement!\n", "line 2"),
        ("requirements.txt", "git+https://example.org/x.git\n", "cannot be locked"),
        ("requirements.txt", "x @ git+https://example.org/x.git\n", "repository"),
        ("requirements.txt", "-e git+https://example.org/x.git\n", "repository"),
        ("requirements.txt", "-r absent.txt\n", "no file"),
        ("requirements.txt", "./absent\n", "no folder"),
        ("requirements.txt", "--strange-option\n", "option"),
        ("pyproject.toml", "[tool]\n", "no dependencies"),
        ("pyproject.toml", "[project", "not TOML"),
        ("environment.yml", "dependencies: 7", "no list"),
        ("environment.yml", "a: [", "not YAML"),
    ],
)
def test_what_cannot_be_read_is_placed(tmp_path, name, text, said):
    (tmp_path / name).write_text(text)
    with pytest.raises(InvalidRequirements) as caught:
        read_requirements([name], tmp_path)
    assert said in str(caught.value)


def test_a_missing_file_is_said(tmp_path):
    with pytest.raises(InvalidRequirements, match="no requirements file"):
        read_requirements(["requirements.txt"], tmp_path)


def test_a_file_is_read_once_however_often_it_is_included(tmp_path):
    (tmp_path / "a.txt").write_text("-r a.txt\nflask\n")
    assert read_requirements(["a.txt", "a.txt"], tmp_path).specifiers == ("flask",)


@pytest.mark.parametrize(
    ("entry", "specifier"),
    [
        ("numpy", "numpy"),
        ("numpy=*", "numpy"),
        ("numpy 1.26.*", "numpy==1.26.*"),
        ("numpy==1.26.4", "numpy==1.26.4"),
        ("numpy>=1.20,<2", "numpy>=1.20,<2"),
        ("numpy>=1.20, <=2", "numpy>=1.20,<=2"),
        ("numpy[version='>=1.20,<2']", "numpy>=1.20,<2"),
        ("numpy=1.26.4=py311h64a7726_0", "numpy==1.26.4"),
        ("pytorch=2.1.0=cpu_py311_0", "torch==2.1.0"),
        ("xgboost=2.0.3=cpu_pyhb8f9a19_1", "xgboost==2.0.3"),
        ("tzdata=2024a=h0c530f3_0", None),
        ("zstd=1.5.5=hfc55251_0", None),
        ("r-base=4.3", None),
    ],
)
def test_match_specifications_of_conda(entry, specifier):
    found = read_conda(f'dependencies:\n  - "{entry}"\n', "environment.yml")
    assert found.specifiers == (() if specifier is None else (specifier,))
    assert bool(found.notes) is (specifier is None)


def test_files_that_pip_freeze_names_are_local_packages_where_they_are_here(tmp_path):
    wheel = make_wheel(tmp_path / "w", "base", "1.0")
    found = read(
        tmp_path,
        "requirements.txt",
        requirements__txt=f"base[x] @ {wheel.as_uri()}#sha256=00\n",
    )
    assert found.local == (wheel,)
    assert found.extras == {wheel: "[x]"}
    assert found.specifiers == ()


def test_a_wheel_of_condas_build_machine_gives_its_version_and_a_note(tmp_path):
    found = read(
        tmp_path,
        "requirements.txt",
        requirements__txt="numpy @ file:///croot/x/dist/numpy-1.26.2-cp311-cp311-linux.whl\n",
    )
    assert found.specifiers == ("numpy==1.26.2",)
    assert "numpy" in found.notes[0]
    with pytest.raises(InvalidRequirements) as caught:
        read(tmp_path, "requirements.txt", requirements__txt="numpy @ file:///croot/numpy/work\n")
    assert "pip list" in caught.value.hint


def test_a_folder_of_wheels_is_found_from_its_own_file(tmp_path):
    (tmp_path / "wh").mkdir()
    found = read(tmp_path, "requirements.txt", requirements__txt="-f wh\nflask\n")
    assert found.options == (f"--find-links {tmp_path / 'wh'}",)
    assert found.folders == (tmp_path / "wh",)
