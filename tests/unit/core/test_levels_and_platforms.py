"""Numeric levels and platform names."""

from __future__ import annotations

import pytest

from samovar.core import numerics, platforms
from samovar.core.receipt import Policy, Receipt
from samovar.errors import UserError


@pytest.mark.parametrize("machine", ["aarch64", "arm64"])
def test_arm_has_one_level(machine: str) -> None:
    assert numerics.level_for(machine, frozenset()) == numerics.ARM64


def test_unknown_machines_are_native_and_pin_nothing() -> None:
    level = numerics.level_for("riscv64", frozenset())
    assert numerics.pinned_variables(level) == {}


@pytest.mark.parametrize("name", platforms.KNOWN)
def test_platforms_are_found_by_their_markers(name: str) -> None:
    markers = platforms.marker_environment(name, "3.11")
    found = platforms.platform_of(markers["sys_platform"], markers["platform_machine"])
    assert found == name


def test_a_platform_that_nobody_knows_has_no_name() -> None:
    assert platforms.platform_of("plan9", "sparc") is None


def test_naming_an_unknown_platform_lists_the_known_ones() -> None:
    with pytest.raises(UserError) as caught:
        platforms.marker_environment("amiga/68k", "3.11")
    assert "linux/amd64" in (caught.value.hint or "")


def test_a_receipt_keeps_the_multiple_of_its_batches() -> None:
    receipt = Receipt(
        method="predict",
        rows=([1.0],),
        outputs=(),
        batching="identical",
        policy=Policy(relative_difference=0.0),
        numerics="native",
        rows_multiple=4,
    )
    assert Receipt.from_json(receipt.to_json()) == receipt
