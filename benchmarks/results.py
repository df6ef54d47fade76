"""What a run measured: results with their bars, times, and the machine, as plain data."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from benchmarks.bars import BARS, Bar
from benchmarks.timing import Spread, Times
from benchmarks.work import FULL, Scale

Unit = Literal["×", "MB", "s", "ms", "", "dB"]
FORMAT = 2
"""Version of the JSON file."""


@dataclass(frozen=True)
class Result:
    """One number. ``bar`` names what it is held against, if anything: a key of :data:`benchmarks.bars.BARS`."""

    what: str
    measured: Spread
    unit: Unit
    bar: str | None = None

    @property
    def held_against(self) -> Bar | None:
        return None if self.bar is None else BARS[self.bar]

    def to_dict(self) -> dict[str, Any]:
        spread = self.measured
        data: dict[str, Any] = {
            "what": self.what,
            "value": spread.value,
            "low": spread.low,
            "high": spread.high,
            "fastest": spread.fastest,
            "unit": self.unit,
        }
        if self.bar is not None:
            bar = BARS[self.bar]
            data["bar"] = {
                "name": self.bar,
                "must": bar.must,
                "aim": bar.aim,
                "better": bar.better,
                "reached": bar.reached(spread.value),
                "aim_reached": None if bar.aim is None else bar.aim_reached(spread.value),
            }
        return data

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Result:
        """What :meth:`to_dict` made, held against today's bars."""
        spread = Spread(data["value"], data["low"], data["high"], data["fastest"])
        return cls(data["what"], spread, data["unit"], data.get("bar", {}).get("name"))


@dataclass(frozen=True)
class Timed:
    """The times of one program. ``audio``: seconds of audio that one run mixes, where it mixes any. ``against``: of a
    peer, the program of ours that does the same work in the same case."""

    program: str
    times: Times
    audio: float | None = None
    against: str | None = None

    @property
    def real_time(self) -> float | None:
        """How many seconds of audio a second yields, by the median."""
        return None if self.audio is None else self.audio / self.times.median

    def to_dict(self) -> dict[str, Any]:
        data: dict[str, Any] = {
            "program": self.program,
            "median_s": self.times.median,
            "minimum_s": self.times.minimum,
            "rounds": len(self.times.seconds),
            "audio_s": self.audio,
            "times_real_time": self.real_time,
            "seconds": list(self.times.seconds),
        }
        if self.against is not None:
            data["against"] = self.against
        return data

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Timed:
        """What :meth:`to_dict` made."""
        return cls(data["program"], Times(tuple(data["seconds"])), data["audio_s"], data.get("against"))


@dataclass(frozen=True)
class CaseReport:
    """All that one case found."""

    name: str
    title: str
    results: tuple[Result, ...] = ()
    times: tuple[Timed, ...] = ()
    notes: tuple[str, ...] = ()
    unavailable: str | None = None

    def to_dict(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "title": self.title,
            "results": [result.to_dict() for result in self.results],
            "times": [timed.to_dict() for timed in self.times],
            "notes": list(self.notes),
            "unavailable": self.unavailable,
        }

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> CaseReport:
        """What :meth:`to_dict` made."""
        return cls(
            data["name"],
            data["title"],
            tuple(map(Result.from_dict, data["results"])),
            tuple(map(Timed.from_dict, data["times"])),
            tuple(data["notes"]),
            data["unavailable"],
        )


@dataclass(frozen=True)
class Run:
    """One run of the benchmarks on one machine."""

    machine: dict[str, Any]
    scale: Scale
    cases: tuple[CaseReport, ...] = field(default=())

    def to_dict(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "machine": self.machine,
            "work": asdict(self.scale),
            "cases": [case.to_dict() for case in self.cases],
        }

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Run:
        """What :meth:`to_dict` made."""
        work = data["work"] | {"nodes": tuple(data["work"]["nodes"])}
        return cls(data["machine"], Scale(**work), tuple(map(CaseReport.from_dict, data["cases"])))

    @property
    def less_work(self) -> bool:
        """Whether clips or graphs are smaller than what the bars are about; how often each is run does not count."""
        return self.scale.work() != FULL.work()

    def results(self) -> list[Result]:
        return [result for case in self.cases for result in case.results]
