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


def test_x86_with_its_features_has_its_level() -> None:
    flags = frozenset({"avx2", "fma", "bmi2", "sse4_2"})
    assert numerics.level_for("x86_64", flags) == numerics.X86_64_V3


@pytest.mark.parametrize(
    ("numpy_version", "has", "lacks"),
    [
        ("2.4.6", "X86_V4", "AVX512F"),
        ("2.3.1", "AVX512_SPR", "X86_V4"),
        ("1.26.4", "AVX512F", "AVX512_SPR"),
        ("unknown", "X86_V4", "SVE"),
    ],
)
def test_the_features_are_those_that_the_numpy_knows(
    numpy_version: str, has: str, lacks: str
) -> None:
    pinned = numerics.pinned_variables(numerics.X86_64_V3, numpy=numpy_version)
    names = pinned["NPY_DISABLE_CPU_FEATURES"].split()
    assert has in names
    assert lacks not in names


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
