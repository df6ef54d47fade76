"""What waits for a page: in order, the last of what is whole, and never without end."""

from __future__ import annotations

import asyncio
import json
import math
from typing import Any

from effort import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from djgraph.studio.outbox import MOST, MOST_CHARACTERS, Outbox, dumped


def _read(*events: dict[str, Any]) -> list[dict[str, Any]] | None:
    """What a page reads that was deaf while all of it was said; None where it has to begin anew."""

    async def run() -> list[dict[str, Any]] | None:
        outbox = Outbox(asyncio.get_running_loop())
        for event in events:
            outbox.put(event)
        await asyncio.sleep(0)
        return None if outbox.full.is_set() else [json.loads(await outbox.get()) for _ in range(len(outbox))]

    return asyncio.run(run())


@given(
    st.lists(
        st.tuples(st.sampled_from(["project", "held", "released", "done", "clips"]), st.sampled_from("ab"))
    )
)
@settings(max_examples=examples(100), deadline=None)
def test_a_slow_page_ends_where_a_fast_one_does(said: list[tuple[str, str]]) -> None:
    events = [{"event": kind, "control": control, "n": i} for i, (kind, control) in enumerate(said)]
    found = _read(*events)
    assert found is not None
    assert [event["n"] for event in found] == sorted(event["n"] for event in found)
    for kind in ("released", "done"):  # each says something of its own
        assert [e for e in found if e["event"] == kind] == [e for e in events if e["event"] == kind]
    for kind in ("project", "clips"):
        assert [e for e in found if e["event"] == kind] == [e for e in events if e["event"] == kind][-1:]
    for control in "ab":
        every = [e for e in events if e["event"] == "held" and e["control"] == control]
        assert [e for e in found if e["event"] == "held" and e["control"] == control] == every[-1:]


def test_too_much_is_an_end() -> None:
    assert _read(*({"event": "done", "id": number} for number in range(MOST + 1))) is None
    assert _read(*({"event": "done", "text": "x" * (MOST_CHARACTERS // 4)} for _ in range(5))) is None
    assert len(_read({"event": "project", "text": "x" * (2 * MOST_CHARACTERS)}) or ()) == 1


def test_what_is_not_finite_is_null() -> None:
    told = dumped({"event": "meters", "peaks": {"out": [math.nan, 1.0, -math.inf]}, "load": (1.0, math.inf)})
    assert json.loads(told) == {"event": "meters", "peaks": {"out": [None, 1.0, None]}, "load": [1.0, None]}
