"""Lines that a command does not reach are unlikely causes."""

from __future__ import annotations

import pytest

from samovar.compare.reachable import idle_lines

TRAIN = b"""\
import helpers
from tools.clean import wash
def used():
    return wash(helpers.load())
def unused():
    return 2
class Model:
    def __init__(self):
        self.x = 1
    def never(self):
        return 3
@registered
def handler():
    return 4
print(used(), Model())
"""
FILES = {
    "train.py": TRAIN,
    "helpers.py": b"def load():\n    return 1\ndef other():\n    return 2\n",
    "tools/clean.py": b"def wash(x):\n    return x\n",
    "report.py": b"print(1)\n",
}


def test_functions_that_nothing_names_are_idle():
    idle = idle_lines(FILES, "python train.py")
    assert idle == {"train.py": {6, 11}, "helpers.py": {4}, "report.py": {1}}


@pytest.mark.parametrize(
    ("files", "command"),
    [
        (FILES, "python -m train"),
        ({**FILES, "train.py": TRAIN + b"getattr(helpers, name)()\n"}, "python train.py"),
        ({**FILES, "helpers.py": b"def ("}, "python train.py"),
        ({}, "python train.py"),
    ],
    ids=["no file named", "names made up while running", "no program", "no code"],
)
def test_where_it_is_not_certain_everything_is_reached(files, command):
    assert idle_lines(files, command) == {}


def test_a_function_named_only_by_one_that_is_idle_is_idle_too():
    source = b"def a():\n    b()\ndef b():\n    pass\ndef c(x=1):\n    pass\nc()\n"
    assert idle_lines({"t.py": source}, "python t.py") == {"t.py": {2, 4}}
