"""Whatever a page says, it is done or refused in a few words, and the session goes on."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any

import pytest
from effort import examples
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from djgraph.studio.messages import WRONG
from djgraph.studio.outbox import dumped
from djgraph.studio.project import Project
from djgraph.studio.sockets import Sockets

from .served import Studio

GRAPH = {
    "djgraph": 1,
    "name": "two",
    "inputs": [{"name": "one"}, {"name": "two"}],
    "mixer": [
        {"strip": "one", "input": "one", "chain": ["gain"], "to": "out"},
        {"strip": "two", "input": "two", "chain": ["gain"], "to": "out"},
        {"bus": "out"},
    ],
    "outputs": ["out"],
}
OUTSIDE = ("open", "save", "export", "fit", "propose", "load", "write")
"""Beginnings of what leaves the session, for files or other processes: tested where it is at home."""


@pytest.fixture(scope="module")
def studio() -> Iterator[Studio]:
    made = Studio(GRAPH, seconds=0.25)
    yield made
    made.close()


def _strategy(schema: dict[str, Any], known: dict[str, Any], words: list[str]) -> st.SearchStrategy[Any]:
    """Values that a JSON schema of pydantic's allows, near its limits and of names that there are."""
    make = lambda one: _strategy(one, known, words)  # noqa: E731
    if "$ref" in schema:
        return st.deferred(lambda: make(known[schema["$ref"].rpartition("/")[2]]))
    if "const" in schema:
        return st.just(schema["const"])
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    for either in ("anyOf", "oneOf"):
        if either in schema:
            return st.one_of([make(one) for one in schema[either]])
    match schema.get("type"):
        case "null":
            return st.none()
        case "boolean":
            return st.booleans()
        case "integer":
            low, high = schema.get("minimum", -(2**53)), schema.get("maximum", 2**53)
            return st.integers(low, min(low + 3, high)) | st.integers(low, high)
        case "number":
            low = schema.get("minimum", schema.get("exclusiveMinimum", -1e12))
            high = schema.get("maximum", schema.get("exclusiveMaximum", 1e12))
            small = st.floats(max(low, -2), min(high, 16)) if low <= 16 else st.just(low)
            return small | st.floats(low, high) | st.sampled_from([low, high])
        case "string":
            longest = min(schema.get("maxLength", 50), 300)
            free = st.text(min_size=schema.get("minLength", 0), max_size=longest)
            return st.sampled_from(words) | free if "pattern" not in schema else st.sampled_from(words)
        case "array":
            if "prefixItems" in schema:
                return st.tuples(*[make(one) for one in schema["prefixItems"]]).map(list)
            least = schema.get("minItems", 0)
            return st.lists(make(schema.get("items", {})), min_size=least, max_size=least + 4)
        case "object" if "properties" in schema:
            needed = {name: _named(name, make(one)) for name, one in schema["properties"].items()}
            must = set(schema.get("required", ()))
            return st.fixed_dictionaries(
                {name: needed[name] for name in needed if name in must},
                optional={name: needed[name] for name in needed if name not in must},
            )
        case "object":
            return st.dictionaries(
                st.sampled_from(words), make(schema.get("additionalProperties", {})), max_size=3
            )
    return st.none() | st.booleans() | st.integers() | st.sampled_from(words)


KNOWN: dict[str, st.SearchStrategy[Any]] = {
    "control": st.sampled_from(["one.gain.gain", "two.gain.gain"]),
    "recipe": st.sampled_from(["linear", "bass_swap", "cut", "../linear"]),
    "muted": st.lists(st.sampled_from(["one", "two", "out"])),
    "soloed": st.lists(st.sampled_from(["one", "two", "out"])),
    "number": st.sampled_from([0, 0, 1, 2]),
    "start": st.floats(0, 0.2),
    "numbers": st.lists(st.integers(1, 3), min_size=1, max_size=3),
    "value": st.floats(0, 2),
    "length": st.floats(0.01, 0.2),
    "settings": st.just({}),
    "points": st.lists(st.floats(0, 1), max_size=4).map(
        lambda times: [{"at": at, "value": at} for at in sorted(times)]
    ),
}
"""Fields that mean something: half of the time they say what there is."""


def _named(name: str, any_: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return KNOWN[name] | any_ if name in KNOWN else any_


def _messages(studio: Studio) -> st.SearchStrategy[Any]:
    words = [
        *studio.mixer.layout.names,
        "one",
        "out",
        "deck",
        "linear",
        "equal_power",
        "track_a",
        "a",
        "",
        "../x",
    ]
    each = []
    for part in studio.session.parts:
        for kind in part.messages:
            schema = TypeAdapter(kind).json_schema()
            if not schema["properties"]["do"]["const"].startswith(OUTSIDE):
                each.append(_strategy(schema, schema.get("$defs", {}), words))
    return st.one_of(each)


junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda some: st.lists(some, max_size=3) | st.dictionaries(st.text(max_size=8), some, max_size=3),
    max_leaves=8,
)


@given(st.data())
@settings(max_examples=examples(200), deadline=None, suppress_health_check=list(HealthCheck))
def test_every_message_is_done_or_refused(studio: Studio, data: st.DataObject) -> None:
    sockets, session = Sockets(studio.session), studio.session
    said = data.draw(st.lists(_messages(studio), min_size=1, max_size=6))
    if data.draw(st.integers(0, 3)) == 0:  # something in it is not as it should be
        at = data.draw(st.integers(0, len(said) - 1))
        key = data.draw(st.sampled_from([*said[at], "more"]))
        said[at] = {**said[at], key: data.draw(junk)}
    for message in said:
        found = sockets._answer("", json.dumps(message))
        assert found["event"] in ("done", "refused")
        assert found.get("message") != WRONG, message
        assert len(found.get("message", "")) < 2000
    # The session is as usable as before: it plays, it is told to pages, and it can be stored.
    audio, _ = session.player.block(512)
    assert audio.shape == (2, 512)
    assert not math.isnan(float(audio.sum()))
    assert json.loads(dumped(session.snapshot()))["event"] == "snapshot"
    assert Project.model_validate_json(session.project.model_dump_json()) == session.project
    assert sockets._answer("", '{"do": "stop"}')["event"] == "done"
