import sys
from pathlib import Path

import pytest

from samovar.env.interpreters import probe


@pytest.fixture(scope="session")
def python():
    """Give the interpreter that the tests run in."""
    return probe(Path(sys.executable))
