"""What the conformance kit says of an effect: each fault once, however many checks it spoils."""

from __future__ import annotations

import traceback
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from djgraph.effects.checks.bench import CheckFailed, WrongReturn
from djgraph.effects.checks.outcome import Outcome
from djgraph.effects.contract import Effect
from djgraph.effects.raised import Place, defined_at, meant, noted, raised_at, said


@dataclass(frozen=True)
class Fault:
    """One fault of an effect that several checks met, or an exception of its code.

    said: the exception's class and message, or what the checks say. place: the line of the author's code that raised
    it, or where the method begins that returned something wrong; None where neither is known. hints: what was probably
    meant. checks: all that ended so.
    """

    said: str
    checks: tuple[str, ...]
    error: Exception = field(repr=False)
    place: Place | None = None
    hints: tuple[str, ...] = ()

    @property
    def raised(self) -> bool:
        """Whether the effect's code raised it, and no check found it."""
        return not isinstance(self.error, CheckFailed)

    def traceback(self) -> str:
        """As Python prints it, of the first of the checks."""
        return "".join(traceback.format_exception(self.error)).rstrip()

    def told(self, of: int) -> Iterator[str]:
        """In lines. of: how many checks there were."""
        spoilt = len(self.checks)
        yield f"{self.said}, in {spoilt if spoilt < of else 'all'} of {of} checks"
        if self.place:
            yield f"  at: {self.place}"
        yield from (f"  {hint}" for hint in self.hints)


def faults(effect: type[Effect], outcomes: Iterable[Outcome]) -> list[Fault]:
    """What the effect raised, one fault for each line of its code and class of exception, and what several checks say
    in the same words; in the order in which they were met."""
    found: dict[object, list[Outcome]] = {}
    for one in outcomes:
        if one.error is not None:
            found.setdefault(_key(effect, one), []).append(one)
    return [_fault(effect, alike) for alike in found.values() if len(alike) > 1 or _raised(alike[0])]


def _key(effect: type[Effect], one: Outcome) -> object:
    """Equal for what is one fault. A message may tell of sizes, which differ from check to check."""
    assert one.error is not None
    if isinstance(one.error, WrongReturn):
        return (WrongReturn, one.error.kind)
    if not _raised(one):
        return one.why
    return (type(one.error), raised_at(effect, one.error) or said(one.error))


def _fault(effect: type[Effect], alike: Sequence[Outcome]) -> Fault:
    error = alike[0].error
    assert error is not None
    checks = tuple(one.check for one in alike)
    if not _raised(alike[0]):
        place = defined_at(effect, error.method) if isinstance(error, WrongReturn) else None
        return Fault(alike[0].why, checks, error, place)
    return Fault(
        f"{type(error).__name__}: {said(error)}{noted(error)}",
        checks,
        error,
        raised_at(effect, error),
        tuple(meant(effect, error)),
    )


def _raised(one: Outcome) -> bool:
    return not isinstance(one.error, CheckFailed)
