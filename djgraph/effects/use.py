"""How a graph uses an effect, and what in that contradicts itself: what :meth:`Effect.conflicts` reads and returns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal


@dataclass(frozen=True)
class ControlUse:
    """What a control can be in a graph: from ``low`` to ``high``, and ``rest`` while nobody moves it.

    default: that of the effect's declaration. stated: whether the graph file says anything of the control, a value, a
    range, a name, a tie or a macro. All in plain units.
    """

    low: float
    high: float
    rest: float
    default: float
    stated: bool = False

    @property
    def fixed(self) -> bool:
        """Whether it has one value for good."""
        return self.low == self.high


@dataclass(frozen=True)
class Use:
    """One use of an effect in a graph.

    settings: validated. stated: names of the settings that the file gives. controls: by id, all of the effect's.
    channels: of the ports that leave their number open.
    """

    settings: Any
    stated: frozenset[str]
    controls: Mapping[str, ControlUse]
    channels: int


@dataclass(frozen=True)
class Conflict:
    """A setting or a control that contradicts the rest, or does nothing because of it.

    part: where it stands, with ``name`` a setting (and ``index`` an item of it) or a control; the node itself where
    ``name`` is None. allowed: what could stand there. hint: what was probably meant. idle: it does nothing, and a
    column of it changes nothing, which is a warning where the file does not speak of it.
    """

    message: str
    part: Literal["settings", "controls"] = "settings"
    name: str | None = None
    index: int | None = None
    allowed: Sequence[str] = ()
    hint: str | None = None
    idle: bool = False


def idle_settings(use: Use, names: Sequence[str], because: str) -> Iterator[Conflict]:
    """A conflict for each of the settings that the file gives although they do nothing ``because`` of another one."""
    for name in names:
        if name in use.stated:
            yield Conflict(f"{name} does nothing: {because}", "settings", name, hint="leave it out")


def idle_controls(use: Use, names: Sequence[str], because: str) -> Iterator[Conflict]:
    """The same for controls.

    One that is fixed at its default is no mistake: so a graph keeps a control that does nothing out of its layout.
    """
    for name in names:
        control = use.controls[name]
        if control.stated and not (control.fixed and control.low == control.default):
            hint = f"leave it out, or fix it at its default, {control.default:g}, so that it has no column"
            yield Conflict(f"{name} does nothing: {because}", "controls", name, hint=hint, idle=True)


def beyond_half_the_rate(use: Use, names: Sequence[str], sample_rate: int) -> Iterator[Conflict]:
    """A conflict for each of the frequencies that the file puts where no signal of that sample rate has any."""
    for name in names:
        control = use.controls[name]
        if control.stated and 2 * control.low >= sample_rate and control.low != control.default:
            yield Conflict(
                f"{name} is {control.low:g} Hz or above, more than a sample rate of {sample_rate} Hz holds",
                "controls",
                name,
                allowed=(f"below {sample_rate / 2:g} Hz",),
            )


def out_of_order(use: Use, names: Sequence[str], unit: str) -> Iterator[Conflict]:
    """A conflict for each neighbours of controls, named from low to high, that rest out of order, or can only be so."""
    for lower, upper in pairwise(names):
        below, above = use.controls[lower], use.controls[upper]
        for value, limit, verb in ((below.low, above.high, "is"), (below.rest, above.rest, "rests")):
            if value < limit:
                continue
            # The one that the file speaks of is to blame.
            if above.stated:
                message = (
                    f"{upper} {verb} at {limit:g} {unit}, which is not above {lower} at {value:g} {unit}"
                )
                conflict = Conflict(message, "controls", upper, allowed=(f"above {value:g} {unit}",))
            else:
                message = (
                    f"{lower} {verb} at {value:g} {unit}, which is not below {upper} at {limit:g} {unit}"
                )
                conflict = Conflict(message, "controls", lower, allowed=(f"below {limit:g} {unit}",))
            yield conflict
            break
