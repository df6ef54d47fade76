"""A set file as pydantic models: which keys there are and what may stand in each."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

from pydantic import ConfigDict, Field, ValidationInfo, ValidatorFunctionWrapHandler

from djgraph.analysis.grid import TEMPOS
from djgraph.automation.model import tempo_map
from djgraph.automation.tempo import RAMPS
from djgraph.automation.times import TempoMap
from djgraph.language.faults import Fault, refusal
from djgraph.language.fields import (
    Element,
    Identifier,
    Leaf,
    OptionalText,
    Refused,
    Text,
    Version,
    Wrap,
    choice,
    whole,
)
from djgraph.language.limits import Kind
from djgraph.language.words import describe
from djgraph.sets.places import EXAMPLES, TrackPlace

SET = Kind("set", "set: 1")
"""Set files: what they are called, and how large they may be."""

MOST = 500
"""Tracks of one set."""
LONGEST = 1024.0
"""Beats of a transition at most."""
GAINS = (-60.0, 24.0)
"""dB that a track may be raised by hand."""

MOVES = 200
"""Loops and jumps of one track."""
TURNS = 1000
"""How often a loop is played at most."""
SHORTEST = 1 / 64
"""Beats of a loop at least."""

_LENGTH = re.compile(r"([0-9]{1,6}(?:\.[0-9]{1,6})?)\s*(beats?|bars?)\Z")


def _place(value: Any) -> TrackPlace:
    try:
        if not isinstance(value, str):
            raise ValueError
        return TrackPlace.parse(value)
    except ValueError:
        raise Refused(f"expected a place in the track, got {describe(value)}", allowed=EXAMPLES) from None


@dataclass(frozen=True)
class Length:
    """A length in beats or bars of a track."""

    amount: float
    unit: Literal["beats", "bars"]

    def beats(self, meter: int = 4) -> float:
        """In beats. meter: of a bar."""
        return self.amount * (meter if self.unit == "bars" else 1)

    def __str__(self) -> str:
        return f"{self.amount:g}{self.unit}"


def _span(value: Any, *examples: str) -> Length:
    match = _LENGTH.match(value.strip()) if isinstance(value, str) else None
    if match is None:
        raise Refused(f"expected a length, got {describe(value)}", allowed=examples)
    length = Length(float(match[1]), "bars" if match[2].startswith("bar") else "beats")
    if length.beats() > LONGEST:
        raise Refused(f"{value} is longer than {LONGEST:g} beats (the limit)")
    return length


def _length(value: Any) -> float:
    """Beats; a bar has four."""
    return _span(value, "32beats", "8bars").beats()


def _loop(value: Any) -> Length:
    length = _span(value, "4beats", "8bars")
    if length.beats() < SHORTEST:
        raise Refused(f"{value} is shorter than {SHORTEST:g} beats, the shortest loop")
    return length


def _bpm(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not TEMPOS[0] <= value <= TEMPOS[1]:
        raise Refused(f"expected a tempo of {TEMPOS[0]:g} to {TEMPOS[1]:g} BPM, got {describe(value)}")
    return float(value)


def _gain(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not GAINS[0] <= value <= GAINS[1]:
        raise Refused(f"expected {GAINS[0]:g} to {GAINS[1]:g} dB, got {describe(value)}")
    return float(value)


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise Refused(f"expected true or false, got {describe(value)}")
    return value


def _path(value: Any) -> str:
    if not isinstance(value, str) or not value.strip() or "\0" in value:
        raise Refused(f"expected a folder of stems or an audio file, got {describe(value)}")
    return value


def _settings(value: Any, handler: ValidatorFunctionWrapHandler, info: ValidationInfo) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise refusal([Fault(f"expected the recipe's arguments with their values, got {describe(value)}")])
    for name in ("a", "b", "start", "length"):
        if name in value:
            said = {"start": "`at`", "length": "`length`"}.get(name, "the order of the tracks")
            fault = Fault(f"{name!r} is not set here: {said} says it", (name,), key=True)
            raise refusal([fault])
    return value


_BPM = Leaf(_bpm, {"type": "number", "minimum": TEMPOS[0], "maximum": TEMPOS[1]})
_GAIN = Leaf(_gain, {"type": "number", "minimum": GAINS[0], "maximum": GAINS[1]})
_FLAG = Leaf(_flag, {"type": "boolean"})
_PLACE = Leaf(_place, {"type": "string", "examples": list(EXAMPLES)})
_LENGTH_LEAF = Leaf(_length, {"type": "string", "pattern": r"^\s*[0-9.]+\s*(beats?|bars?)\s*$"})
_LOOP = Leaf(_loop, _LENGTH_LEAF.schema)
_PATH = Leaf(_path, {"type": "string", "minLength": 1})
_WORDS = Leaf(lambda value: value, {})


class RampModel(Element):
    """A tempo that changes evenly over the whole set."""

    model_config = ConfigDict(populate_by_name=True)
    what: ClassVar[str] = "a ramp: {from: 124, to: 130}"
    begin: Annotated[float, _BPM] = Field(alias="from")
    """BPM at the beginning."""
    to: Annotated[float, _BPM]
    """BPM at the end."""
    ramp: Annotated[str, choice(*RAMPS[1:])] = "per_beat"
    """Evenly in each beat, or in each second."""


Tempo = float | Literal["tracks"] | RampModel | TempoMap


def _tempo(value: Any, handler: ValidatorFunctionWrapHandler, info: ValidationInfo) -> Any:
    if isinstance(value, dict):
        return RampModel.model_validate(value, context=info.context)
    if isinstance(value, str):
        if value != "tracks":
            what = f"expected a tempo, got {describe(value)}"
            raise refusal(
                [Fault(what, (), ("128", "tracks", "{from: 124, to: 130}", "[[0, 124], [64, 126]]"), value)]
            )
        return value
    try:
        if isinstance(value, list):
            said = tempo_map(value)
            for place, (_, bpm) in enumerate(said.points):
                if not TEMPOS[0] <= bpm <= TEMPOS[1]:
                    raise Refused(f"expected {TEMPOS[0]:g} to {TEMPOS[1]:g} BPM, got {bpm:g}", loc=(place, 1))
            return said
        return _bpm(value)
    except Refused as refused:
        raise refusal([refused.fault]) from None


_TEMPO_SCHEMA: dict[str, Any] = {
    "anyOf": [
        _BPM.schema,
        {"const": "tracks"},
        {
            "type": "object",
            "properties": {"from": _BPM.schema, "to": _BPM.schema, "ramp": {"enum": list(RAMPS[1:])}},
            "required": ["from", "to"],
            "additionalProperties": False,
        },
        {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "array",
                "prefixItems": [{"type": "number"}, _BPM.schema, {"enum": list(RAMPS)}],
                "minItems": 2,
                "maxItems": 3,
            },
        },
    ]
}


class MoveModel(Element):
    """Where a track does not simply go on."""

    what: ClassVar[str] = "a loop or a jump: {at: bar 33, loop: 4beats, times: 4}, {at: bar 65, jump: bar 97}"
    at: Annotated[TrackPlace, _PLACE]
    """The place in the track at which it begins to loop, or jumps: when it gets there after the move before."""
    loop: Annotated[Length | None, _LOOP] = None
    """How much of the track is repeated, in beats or bars of the track."""
    times: Annotated[int, whole(2, TURNS)] = 2
    """How often the loop is heard."""
    jump: Annotated[TrackPlace | None, _PLACE] = None
    """The place in the track with which it goes on."""

    @classmethod
    def check(cls, data: dict[str, Any]) -> list[Fault]:
        if ("loop" in data) == ("jump" in data):
            both = ("jump",) if "jump" in data else ()
            return [Fault("a track either loops or jumps: say `loop` or `jump`", both, key=bool(both))]
        if "times" in data and "loop" not in data:
            return [Fault("a jump is made once; `times` belongs to loops", ("times",), key=True)]
        return []


class TrackModel(Element):
    """A track; its path alone for short."""

    model_config = ConfigDict(populate_by_name=True)
    what: ClassVar[str] = "a track: its path, or {track: …}; or a transition: {transition: …}"
    track: Annotated[str, _PATH]
    """A folder of stems, or an audio file, which is one stem; beside the set file, unless it says otherwise."""
    title: OptionalText = None
    """What people call it; the name of its folder or file where left out."""
    begin: Annotated[TrackPlace | None, _PLACE] = Field(None, alias="from")
    """Where in the track it comes in: that bar lies where the transition begins; the first bar where left out."""
    tempo: Annotated[float | None, _BPM] = None
    """BPM of the mix while it plays; the tempo goes there during the transition before it."""
    gain: Annotated[float, _GAIN] = 0.0
    """dB, beside what brings all tracks to one loudness."""
    key_lock: Annotated[bool | None, _FLAG] = None
    """Whether its pitch is kept; as the set says where left out."""
    moves: list[MoveModel] = Field(default_factory=list, max_length=MOVES)
    """Its loops and jumps, in the order in which they are played."""


class TransitionModel(Element):
    """How the track before goes over to the one behind."""

    what: ClassVar[str] = "a transition: {transition: bass_swap, at: last chorus, length: 32beats}"
    transition: Text | None = None
    """A recipe, the file of one, or auto: what suits the two tracks; the set's where left out."""
    at: Annotated[TrackPlace | None, _PLACE] = None
    """Where in the track before it begins; a phrase that suits both where left out."""
    length: Annotated[float | None, _LENGTH_LEAF] = None
    """How long it takes, in beats or bars."""
    settings: Annotated[dict[str, Any], Wrap(_settings)] = Field(default_factory=dict)
    """Arguments of the recipe."""


def _moves(item: Any) -> bool:
    """Whether an item of a set is meant as a transition: it says no track, and what only transitions have."""
    return isinstance(item, dict) and "track" not in item and not item.keys().isdisjoint(_OF_TRANSITIONS)


_OF_TRANSITIONS = frozenset(TransitionModel.model_fields)


def _item(value: Any, handler: ValidatorFunctionWrapHandler, info: ValidationInfo) -> Element:
    if isinstance(value, dict):
        kind = TransitionModel if _moves(value) else TrackModel
        return kind.model_validate(value, context=info.context)
    if isinstance(value, str):
        return TrackModel.model_validate({"track": value}, context=info.context)
    raise refusal([Fault(f"expected {TrackModel.what}, got {describe(value)}")])


class SetModel(Element):
    """A whole set file."""

    what: ClassVar[str] = "a mapping that begins with `set: 1`"
    set: Version
    """The version of the language."""
    name: Identifier = "set"
    """The set's name."""
    title: Text = ""
    """One line for people."""
    graph: Text = "dj_mixer"
    """The mixer: a name, or the path of a file, beside the set file unless it says otherwise."""
    decks: list[Identifier] | None = None
    """The graph's inputs that tracks are played on, in turn; all that have faders where left out."""
    tempo: Annotated[Any, Wrap(_tempo)] = None
    """BPM; tracks: that of each; {from, to}: a ramp; pairs [beat, BPM]. The middle of the tracks' where left out."""
    key_lock: Annotated[bool, _FLAG] = False
    """Whether tracks keep their pitch at other tempos."""
    gain: Annotated[str, choice("loudness", "none")] = "loudness"
    """Whether all tracks are brought to one loudness."""
    transition: Text = "auto"
    """The recipe of transitions that say none."""
    length: Annotated[float | None, _LENGTH_LEAF] = None
    """The length of transitions that say none."""
    automation: Annotated[str | None, _PATH] = None
    """A file of what all controls do, from the set's first beat on, in place of what the recipes do."""
    tracks: Annotated[
        list[Annotated[TrackModel | TransitionModel, Wrap(_item)]], Field(min_length=1, max_length=2 * MOST)
    ]
    """Tracks in order, and transitions between them where they are said."""

    @classmethod
    def check(cls, data: dict[str, Any]) -> list[Fault]:
        for key, what in (("djgraph", "a graph"), ("automation", "an automation")):
            if key in data and "set" not in data:
                return [Fault(f"this is {what}; a set begins with `set: 1`", (key,), key=True)]
        items = data.get("tracks")
        if not isinstance(items, list):
            return []
        faults = []
        is_transition = [_moves(item) for item in items]
        for place, moves in enumerate(is_transition):
            if moves and (place == 0 or place == len(items) - 1 or is_transition[place - 1]):
                faults.append(Fault("a transition stands between two tracks", ("tracks", place)))
        return faults


def json_schema() -> dict[str, Any]:
    """The JSON Schema of set files, so that editors complete and check them."""
    result = SetModel.model_json_schema(by_alias=True, mode="validation")
    for definition in (result, *result["$defs"].values()):
        definition.pop("title", None)
        for value in definition.get("properties", {}).values():
            value.pop("title", None)
            if value.get("default", ...) is None:
                del value["default"]
            _without_references(value)
    result["$defs"]["TransitionModel"]["minProperties"] = 1
    items = result["properties"]["tracks"]["items"]
    items["anyOf"] = [{"type": "string", "minLength": 1}, *items["anyOf"]]
    tempo = result["properties"]["tempo"]
    result["properties"]["tempo"] = {"description": tempo["description"], **_TEMPO_SCHEMA}
    result["properties"] = {"$schema": {"type": "string"}, **result["properties"]}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "djgraph set", **result}


def _without_references(value: dict[str, Any]) -> None:
    """Sets have no arguments: what would be a reference is none."""
    if "anyOf" in value:
        value["anyOf"] = [option for option in value["anyOf"] if "$" not in option.get("pattern", "")[1:3]]
        if len(value["anyOf"]) == 1:
            value |= value.pop("anyOf")[0]
