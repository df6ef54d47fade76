"""How much lies ready in the page, against a server that is played: its delay, its stalls, a ring as the worklet's."""

from __future__ import annotations

from typing import Any

import pytest

from .desk import Desk

pytestmark = pytest.mark.slow

PLAYED = """async ({seconds, rate, block, delay, stalls}) => {
  const { Ahead } = await import(new URL("web/ahead.js", document.baseURI).href);
  const ahead = new Ahead(rate), wire = [], courses = [];
  let filled = 0, gaps = 0, running = false, off = 0;
  const ask = (count, now) => { if (count > 0) wire.push([now + delay, count]); };
  ask(ahead.of(block) + ahead.samples, 0);
  for (let now = 0; now < seconds * rate; now += 128) {
    const stalled = stalls.some(([at, length]) => now >= at * rate && now < (at + length) * rate);
    while (!stalled && wire.length && wire[0][0] <= now) filled += wire.shift()[1];
    if (!running && filled >= ahead.samples / 2) running = true;
    const count = running ? Math.min(128, filled) : 0;
    if (running && count < 128) { gaps++; running = false; }
    filled -= count;
    if (count) ask(ahead.next(count, gaps, filled), now);
    const sum = filled + wire.reduce((all, one) => all + one[1], 0);
    off = Math.max(off, Math.abs(sum - ahead.samples - ahead.owed));
    if (now % (128 * 345) === 0) courses.push(ahead.samples);
  }
  return { gaps, off, samples: ahead.samples, soon: ahead.soon, courses };
}"""


def _played(desk: Desk, **given: Any) -> dict[str, Any]:
    usual = {"seconds": 300, "rate": 44100, "block": 512, "delay": 700, "stalls": []}
    found: dict[str, Any] = desk.page.evaluate(PLAYED, usual | given)
    assert found["off"] == 0  # what lies ready and what was asked for are what is wanted, at every moment
    return found


def test_as_much_lies_ready_as_the_server_needs(desk: Desk) -> None:
    quick = _played(desk)
    assert quick["gaps"] == 0
    assert quick["courses"][0] == quick["soon"] <= 0.08 * 44100
    assert quick["samples"] == 4 * 512  # nothing ever ran low
    assert quick["courses"] == sorted(quick["courses"], reverse=True)
    # Half a block less than a page with four blocks can bear, every seven seconds: more lies ready, and no gap comes.
    stalls = [[at, 0.035] for at in range(3, 300, 7)]
    often = _played(desk, stalls=stalls)
    assert often["gaps"] == 0
    assert often["samples"] > quick["samples"]
    # What no hand may wait for is given after a gap alone, and taken back in time.
    longer = _played(desk, stalls=[[100, 0.12], [101, 0.12]])
    assert 1 <= longer["gaps"] <= 2
    assert max(longer["courses"]) > longer["soon"]
    assert longer["samples"] < max(longer["courses"])
    # A slow one: gaps until enough lies ready, none from then on.
    slow = _played(desk, delay=5000, seconds=60)
    assert slow["gaps"] == _played(desk, delay=5000, seconds=20)["gaps"] > 0
