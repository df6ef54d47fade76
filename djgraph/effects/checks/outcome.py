"""What one check of the conformance kit says of an effect."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from djgraph.effects.checks.bench import CheckFailed, CheckInconclusive, CheckSkipped, CheckSlow
from djgraph.effects.raised import noted, said

Result = Literal["passed", "skipped", "unchecked", "slow", "failed"]


@dataclass(frozen=True)
class Outcome:
    """What one check says: ``skipped`` does not apply, ``unchecked`` could not be done here; both say why.

    ``slow`` is right, and takes orders of magnitude too long. error: what ``failed`` and ``slow`` raised.
    """

    check: str
    result: Result
    why: str = ""
    error: Exception | None = None

    @property
    def broken(self) -> bool:
        """Whether the effect does not keep this promise."""
        return self.error is not None


def outcome_of(name: str, check: Callable[[], None]) -> Outcome:
    """Run a check. Whatever the effect raises is a failure."""
    try:
        check()
    except CheckSkipped as reason:
        return Outcome(name, "skipped", str(reason))
    except CheckInconclusive as reason:
        return Outcome(name, "unchecked", str(reason))
    except CheckSlow as fault:
        return Outcome(name, "slow", str(fault), fault)
    except CheckFailed as fault:
        return Outcome(name, "failed", str(fault), fault)
    except Exception as raised:  # an effect that is wrong may raise anything
        return Outcome(name, "failed", f"{type(raised).__name__}: {said(raised)}{noted(raised)}", raised)
    return Outcome(name, "passed")
