"""Numbers with a unit: what they are in the units that controls have."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from djgraph.language.quantity import BASES, UNITS, quantity


@pytest.mark.parametrize(
    ("text", "unit", "number"),
    [
        ("180 Hz", "Hz", 180),
        ("1.5kHz", "Hz", 1500),
        ("375 ms", "ms", 375),
        ("375 ms", "s", 0.375),
        ("0.25s", "ms", 250),
        ("2 min", "s", 120),
        ("1/2 beat", "beats", 0.5),
        ("3 / 4 beats", "beats", 0.75),
        ("-6 dB", "dB", -6),
        ("+3dB", "dB", 3),
        ("-14 LUFS", "LUFS", -14),
        ("1 octave", "semitones", 12),
        ("6 semitones", "octaves", 0.5),
        ("40 %", "ratio", 0.4),
        ("8 bits", "bits", 8),
    ],
)
def test_plain_numbers(text: str, unit: str, number: float) -> None:
    given = quantity(text)
    assert given is not None
    assert str(given) == text
    assert given.plain(unit) == pytest.approx(number, rel=1e-12)


@pytest.mark.parametrize(("decibels", "factor"), [(0, 1), (-20, 0.1), (6, 1.9952623149688795)])
def test_decibels_are_factors_of_amplitudes_only(decibels: float, factor: float) -> None:
    given = quantity(f"{decibels} dB")
    assert given is not None
    assert given.plain("ratio", amplitude=True) == pytest.approx(factor)
    assert given.plain("ratio") is None
    assert given.plain("Hz") is None


@pytest.mark.parametrize(
    "text",
    [
        "180",
        "Hz",
        "1 2 Hz",
        "12 furlongs",
        "1/0 beat",
        "$n Hz",
        "1e999 Hz",
        3,
        None,
        ["1 Hz"],
        "1 " + "H" * 99,
    ],
)
def test_what_is_none(text: object) -> None:
    assert quantity(text) is None


@given(st.floats(-1e6, 1e6), st.sampled_from(sorted(UNITS)), st.sampled_from(sorted(BASES)))
def test_what_does_not_fit_is_none_and_what_fits_goes_back(number: float, unit: str, base: str) -> None:
    given = quantity(f"{number!r} {unit}")
    assert given is not None
    plain = given.plain(base)
    measure, factor = UNITS[unit]
    assert (plain is None) == (BASES[base][0] != measure)
    if plain is not None:
        assert plain * BASES[base][1] / factor == pytest.approx(number, rel=1e-9, abs=1e-9)
