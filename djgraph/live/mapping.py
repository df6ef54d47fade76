"""Mapping files: which knob, fader, button or encoder of a MIDI controller moves what, validated like graphs."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from pydantic import Field, ValidationError

from djgraph.errors import MappingError, Problem
from djgraph.language.faults import Fault, explain
from djgraph.language.fields import Element, Flag, Leaf, Refused, Text, Version, choice, whole
from djgraph.language.fold import in_file_order
from djgraph.language.limits import Kind
from djgraph.language.load import problem, read
from djgraph.language.source import Source
from djgraph.language.words import describe
from djgraph.layout import ParameterLayout

MAPPING = Kind("mapping", "mapping: 1")
"""Mapping files: what they are called, and how large they may be."""
KINDS = ("cc", "cc14", "nrpn", "note", "pitch")
"""What a message is known by; pitch is the wheel, which motor faders of mixing consoles send, too."""
RELATIVE = ("twos_complement", "offset", "sign_bit")
"""How encoders say steps: 1, 2 … up and 127, 126 … down; 65 up and 63 down; 1 up and 65 down."""
TAKEOVER = ("jump", "pickup", "scale")
"""What a fader does that does not stand where its control does: take it along at once; take it when it passes it; move
it the same way, by as much as brings both to the end together."""
BUTTONS = ("toggle", "hold", "set")
"""toggle: between the ends of the range. hold: at its end while pressed. set: to its end."""
ACTIONS = ("play", "stop", "toggle", "start", "release", "loop")
"""toggle: play or stop. start: back to the beginning. release: give controls back to the automation. loop: on, off."""


def _share(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise Refused(f"expected a position from 0 to 1, got {describe(value)}")
    return float(value)


def _range(value: Any) -> tuple[float, float]:
    if not isinstance(value, list) or len(value) != 2:
        raise Refused(f"expected two positions, [from, to], got {describe(value)}")
    return _share(value[0]), _share(value[1])


def _step(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= 1:
        raise Refused(f"expected a share of the travel, above 0, up to 1, got {describe(value)}")
    return float(value)


_SEVEN, _FOURTEEN = whole(0, 127), whole(0, 16383)
OptionalSeven = Annotated[int | None, _SEVEN]
_SHARE_SCHEMA = {"type": "number", "minimum": 0, "maximum": 1}
_RANGE_SCHEMA = {"type": "array", "items": _SHARE_SCHEMA, "minItems": 2, "maxItems": 2}


class EntryModel(Element):
    """One knob, fader, button or encoder, and what it moves."""

    what = "an entry, {control: …, cc: …}"
    control: Annotated[str | None, Leaf(str, {"type": "string"})] = None
    """A control's name."""
    do: Annotated[str | None, choice(*ACTIONS)] = None
    """What happens when it is pressed, in place of a control."""
    cc: OptionalSeven = None
    """The number of a control change of 7 bits."""
    cc14: Annotated[int | None, whole(0, 31)] = None
    """The number of a control change whose lower 7 bits come as the one 32 above it."""
    nrpn: Annotated[int | None, _FOURTEEN] = None
    """The number of a parameter that control changes 98 and 99 choose, and 6 and 38 set."""
    note: OptionalSeven = None
    """A note, as buttons and pads send it."""
    pitch: Flag = False
    """The pitch wheel of the channel: 14 bits."""
    channel: Annotated[int, whole(1, 16)] = 1
    """The MIDI channel, from 1."""
    range: Annotated[tuple[float, float], Leaf(_range, _RANGE_SCHEMA)] = (0.0, 1.0)
    """Positions of the control's travel at the ends of the knob's."""
    relative: Annotated[str | None, choice(*RELATIVE)] = None
    """An encoder without ends, and how it says steps."""
    step: Annotated[float, Leaf(_step, {"type": "number", "exclusiveMinimum": 0, "maximum": 1})] = 1 / 127
    """Of an encoder: what one step is of the travel."""
    takeover: Annotated[str | None, choice(*TAKEOVER)] = None
    """What happens where a fader does not stand where its control does."""
    button: Annotated[str | None, choice(*BUTTONS)] = None
    """What pressing does to a control."""
    feedback: Flag = True
    """Tell the device where the control stands: LEDs, rings, motors."""
    touch: OptionalSeven = None
    """The note that says that a hand is on a motor fader; its motor rests meanwhile."""
    lit: Annotated[int, _SEVEN] = 127
    """Of a button: the velocity that lights it."""
    dark: Annotated[int, _SEVEN] = 0
    """And the one that darkens it."""

    @property
    def kind(self) -> str:
        return next(kind for kind in KINDS if getattr(self, kind) not in (None, False))

    @property
    def number(self) -> int:
        """What it is known by, within its kind."""
        value = getattr(self, self.kind)
        return 0 if value is True else int(value)

    @classmethod
    def check(cls, data: dict[str, Any]) -> list[Fault]:
        faults = []
        kinds = [kind for kind in KINDS if data.get(kind) not in (None, False)]
        if len(kinds) != 1:
            said = " and ".join(kinds) if kinds else "none"
            faults.append(Fault(f"expected one of {', '.join(KINDS)}, got {said}"))
        if (data.get("control") is None) == (data.get("do") is None):
            faults.append(Fault("expected either `control` or `do`"))
        kind = kinds[0] if len(kinds) == 1 else None
        if data.get("relative") is not None and kind not in ("cc", None):
            faults.append(Fault("an encoder sends cc", ("relative",)))
        if data.get("step") is not None and data.get("relative") is None:
            faults.append(Fault("a step belongs to `relative`", ("step",)))
        if data.get("relative") is not None and data.get("takeover") is not None:
            faults.append(Fault("an encoder has nothing to take over", ("takeover",)))
        if data.get("touch") is not None and kind == "note":
            faults.append(Fault("a button has no motor", ("touch",)))
        return faults


class MappingModel(Element):
    """A mapping file."""

    what = "a mapping, mapping: 1"
    SCHEMA: ClassVar[str] = "mapping"
    mapping: Version
    """The version of the language."""
    name: Text = "mapping"
    """What the controller is called."""
    port: Text = ""
    """A part of the name of its MIDI port."""
    takeover: Annotated[str, choice(*TAKEOVER)] = "jump"
    """For all that do not say their own."""
    controls: Annotated[list[EntryModel], Field(max_length=10_000)]
    """What is on it."""


@dataclass(frozen=True)
class Bindings:
    """A mapping whose names are those of a layout."""

    model: MappingModel
    name: str

    @property
    def entries(self) -> list[EntryModel]:
        return self.model.controls

    def takeover(self, entry: EntryModel) -> str:
        return entry.takeover or self.model.takeover


def load_mapping(source: str | os.PathLike[str] | Mapping[str, Any], layout: ParameterLayout) -> Bindings:
    """Read a mapping file, its text or a mapping for a graph's controls.

    Raises MappingError that holds all problems, with file, line and column: keys and values that cannot be, controls
    that the layout does not have, two entries for the same message.
    """
    data = read(source, {}, None, MAPPING)
    try:
        model = MappingModel.model_validate(data.data)
    except ValidationError as error:
        faults = explain(error, MappingModel)
        raise MappingError(*in_file_order(problem(data, fault) for fault in faults)) from None
    problems = list(_unknown(data, model, layout)) + list(_twice(data, model))
    if problems:
        raise MappingError(*in_file_order(problems))
    return Bindings(model, model.name)


def _unknown(data: Source, model: MappingModel, layout: ParameterLayout) -> list[Problem]:
    problems = []
    for index, entry in enumerate(model.controls):
        if entry.control is not None and entry.control not in layout:
            path = ("controls", index, "control")
            message = f"there is no control {entry.control!r}"
            problems.append(Problem(message, data.position(path), path, tuple(layout.names), entry.control))
    return problems


def _twice(data: Source, model: MappingModel) -> list[Problem]:
    seen: dict[tuple[int, str, int], int] = {}
    problems = []
    for index, entry in enumerate(model.controls):
        for key in messages_of(entry):
            if key in seen and entry.kind == model.controls[seen[key]].kind:
                continue  # one knob may move several controls
            if key in seen:
                channel, kind, number = key
                message = (
                    f"{kind} {number} of channel {channel} is a part of controls[{seen[key]}], "
                    f"which is {model.controls[seen[key]].kind}"
                )
                path = ("controls", index)
                problems.append(Problem(message, data.position(path), path))
                break
            seen[key] = index
    return problems


def messages_of(entry: EntryModel) -> list[tuple[int, str, int]]:
    """The messages that an entry is told by: channel, kind and number of each."""
    if entry.kind == "cc14":
        return [(entry.channel, "cc", entry.number), (entry.channel, "cc", entry.number + 32)]
    if entry.kind == "nrpn":
        return [(entry.channel, "nrpn", entry.number)]
    return [(entry.channel, entry.kind, entry.number)]
