"""The kinds of effects that there are templates for, and what differs between their common files."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Kind:
    """One kind of effect.

    summary: what a template of this kind is, in a few words. base: the class that it subclasses. test: the template
    of its tests. ranges, moved: Python text, what tests draw its controls from and what they move in its graph. rate:
    whether its oracle has to be told the sample rate. render: further options of ``djgraph render`` for its graph.
    twin: whether its template has a causal twin. more_tests: whether it has tests beside the common ones. words:
    further words of its templates.
    """

    name: str
    summary: str
    base: str
    test: str = "common/test_time.py"
    ranges: str = ""
    moved: str = ""
    rate: bool = False
    render: str = ""
    twin: bool = False
    more_tests: bool = False
    words: tuple[tuple[str, str], ...] = ()


KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind(
            "memoryless",
            "a soft clipper",
            "memoryless `TimeEffect`",
            ranges='{"drive": (0.0, 36.0), "mix": (0.0, 1.0)}',
            moved='{"track.drive": 24.0, "track.mix": 1.0}',
        ),
        Kind(
            "amplitude",
            "a monitor level with dim",
            "`AmplitudeEffect`",
            ranges='{"level": (-60.0, 12.0), "dim": (0.0, 1.0)}',
            moved='{"track.level": -12.0}',
        ),
        Kind(
            "matrix",
            "turns and widens the stereo picture",
            "memoryless `TimeEffect` of two channels",
            ranges='{"angle": (-90.0, 90.0), "width": (0.0, 2.0)}',
            moved='{"track.angle": 30.0, "track.width": 0.5}',
        ),
        Kind(
            "recursive",
            "a bell of an equaliser that may be swept",
            "`TimeEffect` with state",
            ranges='{"frequency": (100.0, 3500.0), "gain": (-18.0, 18.0), "q": (0.3, 12.0)}',
            moved='{"track.boost": 12.0}',
            rate=True,
            more_tests=True,
            words=(("more_imports", "import pytest\n"), ("oracles", "cookbook, oracle")),
        ),
        Kind(
            "delay",
            "a slapback echo whose time may move",
            "`TimeEffect` with state",
            ranges='{"time": (1.1, 20.0), "feedback": (-0.95, 0.95), "mix": (0.0, 1.0)}',
            moved='{"track.echo": 0.5, "echo.time": 20.0}',
            rate=True,
        ),
        Kind(
            "spectral",
            "a bell on the spectrum, without phase",
            "`SpectralEffect`",
            test="common/test_spectral.py",
            ranges='{"centre": (50.0, 15000.0), "gain": (-24.0, 24.0), "width": (0.1, 4.0)}',
            moved='{"track.centre": 1000.0, "track.boost": 12.0, "track.width": 1.5}',
            words=(("moved_oracle", "1000.0, 12.0, 1.5"),),
        ),
        Kind(
            "ratio",
            "a shelf for the highs, with its causal twin",
            "`RatioEffect`",
            test="common/test_spectral.py",
            ranges='{"gain": (-24.0, 24.0)}',
            moved='{"track.air": 12.0}',
            twin=True,
            words=(("moved_oracle", "12.0"),),
        ),
        Kind(
            "generator",
            "a sine, made from nothing",
            "`TimeEffect` without inputs",
            test="generator/test_effect.py",
        ),
        Kind(
            "source",
            "a record, forwards and backwards",
            "`SourceEffect`",
            test="source/test_effect.py",
            render=" --seconds 20",
        ),
        Kind(
            "ports",
            "ducks one signal under another",
            "`TimeEffect` with two inputs and two outputs",
            test="ports/test_effect.py",
            render=" -i voice=FILE",
        ),
        Kind(
            "clock",
            "breathes with the beat",
            "memoryless `TimeEffect` with a clock",
            test="clock/test_effect.py",
            render=" --tempo 128",
        ),
    )
}
"""The kinds by name, in the order of the guide."""
