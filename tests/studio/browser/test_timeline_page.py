"""The timeline in a real browser: lanes edited by pointer and keys, undo, recipes dropped, gestures recorded."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from waiting import until

import djgraph
from djgraph.automation import SHAPES, TempoMap
from djgraph.automation.shapes import progress
from djgraph.studio.session import Session
from djgraph.studio.target import Band, Target
from studio.browser.desk import Desk
from studio.served import Studio

pytestmark = pytest.mark.slow
GAIN, CUTOFF = "track_a.drums.gain", "track_a.drums.hpf"
SECONDS = 8


@pytest.fixture
def shown(opened: Callable[..., Desk]) -> Desk:
    """Eight seconds, a target with a fit, and the timeline with one lane."""
    studio = Studio("dj_mixer", SECONDS)
    found = djgraph.automation.load("linear", start="2s", length="2s")
    band = Band(np.linspace(0, SECONDS, 50), np.full(50, 0.4), np.full(50, 0.6), np.ones(50, bool))
    sound = 0.1 * torch.randn(2, 44100 * SECONDS, generator=torch.Generator().manual_seed(1))
    studio.session.target = Target("mix.wav", sound, found, {GAIN: band})
    desk = opened(studio=studio, view="timeline")
    desk.page.wait_for_selector(".tl-head")
    desk.page.get_by_label("Lanes", exact=True).select_option("all")
    desk.page.get_by_label("Filter lanes").fill(GAIN)
    desk.page.get_by_role("button", name="Waveforms").click()
    until(lambda: desk.page.locator(".tl-head.lane").count() == 1, "not filtered")
    return desk


@pytest.fixture
def session(shown: Desk) -> Session:
    return shown.session


@pytest.fixture
def page(shown: Desk) -> Any:
    return shown.page


def _points(session: Session, control: str = GAIN) -> list[tuple[float, float]]:
    return [(round(p.at, 6), round(p.value, 3)) for p in session.project.lane(control).points]


class _Lane:
    """Where beats and values of a lane are on the page."""

    def __init__(self, page: Any, control: str = GAIN) -> None:
        self.page = page
        head = page.locator(f'[data-row="{control}"]').bounding_box()
        self._top, self._height = head["y"], head["height"]
        self._left = head["x"] + head["width"]
        self._zoom = page.locator(".tl-content").evaluate(
            f"element => (parseFloat(element.style.width) - 196 - 12) / {SECONDS}"
        )

    def at(self, beat: float, value: float) -> tuple[float, float]:
        """Of a gain of 0 to 1."""
        return self._left + beat / 2 * self._zoom, self._top + 9 + (1 - value) * (self._height - 18)

    def click(self, beat: float, value: float) -> None:
        self.page.mouse.click(*self.at(beat, value))

    def drag(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        self.page.mouse.move(*self.at(*start))
        self.page.mouse.down()
        self.page.mouse.move(*self.at(*end), steps=6)
        self.page.mouse.up()


def test_points_are_added_moved_deleted_and_undone(page: Any, session: Session) -> None:
    lane = _Lane(page)
    lane.click(4, 1)
    until(lambda: _points(session) == [(4, 1)], "no point")
    lane.click(8.2, 1)  # snapped
    until(lambda: _points(session) == [(4, 1), (8, 1)], "no second point")
    lane.drag((8, 1), (10, 0.1))
    until(lambda: len(_points(session)) == 2 and _points(session)[1][0] == 10, "not moved")
    assert _points(session)[1][1] == pytest.approx(0.1, abs=0.03)
    page.get_by_label("Value", exact=True).fill("-6 dB")
    page.get_by_label("Value", exact=True).press("Enter")
    until(lambda: _points(session)[1] == (10, 0.501), "not typed")
    page.get_by_label("Shape", exact=True).select_option("cosine")
    until(lambda: session.project.lane(GAIN).points[1].shape == "cosine", "no shape")
    page.locator(".tl-content").focus()
    page.keyboard.press("Delete")
    until(lambda: _points(session) == [(4, 1)], "not deleted")
    page.keyboard.press("Control+z")
    until(lambda: len(_points(session)) == 2, "not undone")
    page.keyboard.press("Control+Shift+Z")
    until(lambda: len(_points(session)) == 1, "not redone")
    while session.history.labels[0] is not None:
        before = session.history.labels
        page.get_by_role("button", name="Undo").click()
        until(lambda before=before: session.history.labels != before, "not undone by the button")  # type: ignore[misc]
    assert _points(session) == []


def test_a_band_takes_several_which_are_copied(page: Any, session: Session) -> None:
    lane = _Lane(page)
    for beat in (2, 4):
        lane.click(beat, 1)
    until(lambda: len(_points(session)) == 2, "no points")
    lane.drag((1.5, 0.01), (4.5, 0.9999))
    page.mouse.move(10, 10)
    page.keyboard.press("Control+a")
    page.keyboard.press("Control+d")
    until(lambda: [at for at, _ in _points(session)] == [2, 4, 5, 7], "not doubled")
    page.keyboard.press("Alt+ArrowRight")
    until(lambda: [at for at, _ in _points(session)] == [2, 4, 6, 8], "not moved by keys")
    page.keyboard.press("Control+x")
    until(lambda: [at for at, _ in _points(session)] == [2, 4], "not cut")
    page.keyboard.press("Control+v")
    until(lambda: len(_points(session)) == 3, "not pasted at the playhead")
    assert [at for at, _ in _points(session)] == [0, 2, 4]


def test_a_bend_is_dragged_with_alt(page: Any, session: Session) -> None:
    lane = _Lane(page)
    lane.click(2, 1)
    lane.click(10, 1)
    lane.drag((10, 1), (10, 0.001))
    until(lambda: len(_points(session)) == 2 and _points(session)[1][1] < 0.1, "no way down")
    value = session.project.lane(GAIN).points[1].value
    middle = (1 + value) / 2
    page.keyboard.down("Alt")
    x, y = lane.at(6, middle)
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x, y - 20, steps=4)
    page.mouse.up()
    page.keyboard.up("Alt")
    until(lambda: session.project.lane(GAIN).points[0].bend == 20, "not bent")


def test_keys_alone_make_a_lane(page: Any, session: Session) -> None:
    page.locator(".tl-content").focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    until(lambda: _points(session) == [(0, 1)], "no point")
    page.keyboard.press("Alt+ArrowDown")
    until(lambda: _points(session)[0][1] < 1, "not lowered")
    page.keyboard.press("Delete")
    until(lambda: _points(session) == [], "not deleted")


def test_keys_alone_find_places_and_loop(page: Any, session: Session) -> None:
    page.locator(".tl-content").focus()
    for _ in range(3):
        page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("[")
    page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("]")
    until(lambda: session.project.loop == pytest.approx((3, 4)), "no loop")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    until(lambda: _points(session) == [(4, 1)], "no point at the playhead")
    page.keyboard.press("Space")
    until(lambda: session.player.transport.playing, "does not play")
    page.keyboard.press("Space")
    until(lambda: not session.player.transport.playing, "does not stop")


def test_recipes_are_dropped_stretched_and_unfolded(page: Any, session: Session) -> None:
    content = page.locator(".tl-content")
    lane = _Lane(page)
    x, y = lane.at(4, 0.5)
    box = content.bounding_box()
    page.locator("[data-recipe=linear]").drag_to(
        content, target_position={"x": x - box["x"], "y": y - box["y"]}
    )
    until(lambda: len(session.project.clips) == 1, "not dropped")
    clip = session.project.clips[0]
    assert (clip.recipe, clip.start, clip.start + clip.length) == ("linear", 4, 16)
    edge = page.locator(".tl-clip .right").bounding_box()
    page.mouse.move(edge["x"] + 4, edge["y"] + 8)
    page.mouse.down()
    page.mouse.move(edge["x"] + 4 - 4 * (x - lane.at(3, 0.5)[0]), edge["y"] + 8, steps=6)
    page.mouse.up()
    until(lambda: session.project.clips[0].length == 8, "not stretched")
    page.keyboard.press("ArrowLeft")
    until(lambda: session.project.clips[0].start == 3, "not moved by keys")
    page.get_by_label("To", exact=True).select_option("track_a")
    until(lambda: session.project.clips[0].settings == {"a": "track_b", "b": "track_a"}, "no arguments")
    page.get_by_role("button", name="Make lanes of it").click()
    until(lambda: not session.project.clips and _points(session) == [(3, 0), (11, 1)], "no lanes")


def test_recipes_by_keys(page: Any, session: Session) -> None:
    page.locator("[data-recipe=equal_power]").focus()
    page.keyboard.press("Enter")
    until(lambda: len(session.project.clips) == 1, "not placed")
    page.locator(".tl-clip").focus()
    page.keyboard.press("Shift+ArrowLeft")
    until(lambda: session.project.clips[0].length == 15, "not shortened")
    page.keyboard.press("Delete")
    until(lambda: not session.project.clips, "not removed")


def test_several_recipes_are_chosen_moved_copied_and_undone(page: Any, session: Session) -> None:
    def starts() -> list[float]:
        return sorted(clip.start for clip in session.project.clips)

    def chosen(count: int) -> None:
        until(lambda: page.locator(".tl-clip.chosen").count() == count, f"not {count} of them are chosen")

    for number, recipe in enumerate(("linear", "equal_power"), 1):
        start = 4.0 * number - 4
        session.take(json.dumps({"do": "place", "recipe": recipe, "start": start, "length": 2}))
    until(lambda: page.locator(".tl-clip").count() == 2, "not shown")
    first, second = (page.locator(f".tl-clip[data-clip='{number}']") for number in (1, 2))
    first.click()
    second.click(modifiers=["Shift"])
    chosen(2)
    page.get_by_text("2 recipes", exact=True).wait_for()
    box, zoom = first.bounding_box(), _Lane(page)
    beat = zoom.at(1, 0)[0] - zoom.at(0, 0)[0]
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + beat, y, steps=4)
    page.mouse.up()
    until(lambda: starts() == [1, 5], "both are not moved")
    page.keyboard.press("ArrowLeft")
    until(lambda: starts() == [0, 4], "both are not moved by keys")
    page.keyboard.press("Control+d")
    until(lambda: starts() == [0, 4, 6, 10], "not doubled behind them")
    chosen(2)
    page.keyboard.press("Delete")
    until(lambda: len(starts()) == 2, "not removed")
    page.keyboard.press("Control+z")
    until(lambda: len(starts()) == 4, "not one edit")
    page.keyboard.press("Escape")
    band = page.locator(".tl-clips").bounding_box()
    page.mouse.move(band["x"] + 196 + 5.5 * beat, band["y"] + 2)
    page.mouse.down()
    page.mouse.move(band["x"] + 196 + 11 * beat, band["y"] + band["height"] - 4, steps=4)
    page.mouse.up()
    chosen(3)  # the second one ends at 6
    page.keyboard.press("Control+x")
    until(lambda: starts() == [0], "not cut")
    page.keyboard.press("Home")
    page.keyboard.press("Control+v")
    until(lambda: starts() == [0, 0, 2, 6], "not pasted at the playhead")


def test_a_gesture_on_the_console_is_recorded(page: Any, session: Session) -> None:
    page.get_by_role("button", name="Touch").click()
    page.get_by_role("tab", name="Console").click()
    page.get_by_role("button", name="Play").click()
    until(lambda: session.player.transport.position > 10_000, "does not play")
    dial = page.locator(f'[data-control="{CUTOFF}"] [role=slider]').first
    dial.scroll_into_view_if_needed()
    box = dial.bounding_box()
    page.mouse.move(box["x"] + 20, box["y"] + 20)
    page.mouse.down()
    for step in range(12):
        page.mouse.move(box["x"] + 20, box["y"] + 20 - 4 * step)
        page.wait_for_timeout(40)
    page.mouse.up()
    until(lambda: len(_points(session, CUTOFF)) > 2, "nothing was recorded")
    page.get_by_role("button", name="Stop").click()
    values = [value for _, value in _points(session, CUTOFF)]
    assert values[0] == 0
    assert max(values) > 0.1


def test_versions_are_switched(page: Any, session: Session) -> None:
    _Lane(page).click(4, 1)
    until(lambda: len(_points(session)) == 1, "no point")
    page.get_by_role("button", name="B", exact=True).click()
    until(lambda: session.project.letter == "B", "not switched")
    _Lane(page).click(8, 1)
    until(lambda: len(_points(session)) == 2, "no second point")
    page.get_by_role("button", name="A", exact=True).click()
    until(lambda: len(_points(session)) == 1, "not switched back")


def test_the_ruler_seeks_and_loops(page: Any, session: Session) -> None:
    ruler, lane = page.locator(".tl-ruler").bounding_box(), _Lane(page)
    y = ruler["y"] + 10
    page.mouse.move(lane.at(4, 1)[0], y)
    page.mouse.down()
    page.mouse.move(lane.at(8.1, 1)[0], y, steps=5)
    page.mouse.up()
    until(lambda: session.project.loop == pytest.approx((4, 8)), "no loop")
    page.mouse.click(lane.at(6, 1)[0], y)
    page.get_by_role("button", name="Play").click()
    until(lambda: session.player.transport.position > 0, "does not play")
    assert 3 * 44100 - 1000 <= session.player.transport.position < 4 * 44100
    page.get_by_role("button", name="Loop", exact=True).click()
    until(lambda: session.project.loop is None, "the loop is still there")


def test_a_target_is_heard_and_its_fit_taken_over(page: Any, session: Session) -> None:
    page.get_by_role("button", name="Target", exact=True).click()
    until(lambda: session.player.instead is not None, "not heard")
    page.get_by_role("button", name="Mix", exact=True).click()
    until(lambda: session.player.instead is None, "still heard")
    page.get_by_role("button", name="Take over the fit").click()
    until(lambda: _points(session) == [(4, 1), (8, 0)], "not taken over")


def test_tempo_and_shapes_follow_the_same_laws(page: Any) -> None:
    entries = [[0, 124, "hold"], [16, 124, "per_beat"], [32, 140, "per_second"], [48, 100, "hold"]]
    clock = TempoMap(entries)
    beats = [0, 3.3, 16, 20.5, 31.9, 32, 40, 48, 60]
    found = page.evaluate(
        """async ([entries, beats, shapes]) => {
          const { TempoMap, progress } = await import("./web/timeline-tempo.js");
          const map = new TempoMap(entries), seconds = beats.map(beat => map.seconds(beat));
          const way = (shape, bend) => [0, 0.3, 0.9].map(u => progress(shape, u, bend));
          const ways = shapes.flatMap(shape => [null, -30, 12].flatMap(bend => way(shape, bend)));
          return { seconds, back: seconds.map(second => map.beat(second)), ways };
        }""",
        [entries, beats, sorted(SHAPES)],
    )
    np.testing.assert_allclose(
        found["seconds"], [clock.seconds(beat) for beat in beats], rtol=1e-12, atol=1e-12
    )
    np.testing.assert_allclose(found["back"], beats, atol=1e-9)
    wanted = [
        float(progress(shape, np.array([u]), bend)[0])
        for shape in sorted(SHAPES)
        for bend in (None, -30, 12)
        for u in (0, 0.3, 0.9)
    ]
    np.testing.assert_allclose(found["ways"], wanted, atol=1e-12)
