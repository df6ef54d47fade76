"""A page is opened, played, heard and touched."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from .desk import Desk

pytestmark = pytest.mark.slow
PAD: dict[str, Any] = {
    "effect": "ladder",
    "controls": {"cutoff": {"as": "cutoff"}, "resonance": {"as": "resonance"}},
}
GAIN, CUTOFF, LOW = "track_a.drums.gain", "track_a.drums.hpf", "track_a.drums.eq_low"


def _sounding(audio: np.ndarray) -> np.ndarray:
    """Without gaps: on a full machine there may be some, and noise is never zero."""
    return audio[:, np.any(audio != 0, axis=0)]


# ── Heard ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_what_is_heard_is_what_the_mixer_makes(desk: Desk) -> None:
    wanted = desk.studio.mixed()
    desk.play()
    desk.until(lambda: desk.sounding() >= wanted.shape[1], "not all was heard")
    heard = _sounding(desk.heard())[:, : wanted.shape[1]]
    np.testing.assert_allclose(heard, wanted, atol=2e-6)
    desk.until(
        lambda: desk.page.get_by_role("button", name="Play", exact=True).is_visible(), "it does not end"
    )


def test_a_moved_control_is_heard_soon(opened: Callable[..., Desk]) -> None:
    """From the key on a fader to the first sample that sounds other than it would have: samples that had been made
    before, those on the wire and those in the ring; what a machine with enough to spare adds to them is not."""
    desk = opened(seconds=8)
    fader = desk.control(GAIN)
    fader.focus()
    desk.play()
    desk.until(lambda: desk.sounding() > 22050, "it does not play")
    at_key = desk.sounding()
    fader.press("Home")
    desk.until(lambda: desk.sounding() > at_key + 44100, "it does not go on")
    wanted, heard = desk.studio.mixed(), _sounding(desk.heard())
    length = min(wanted.shape[1], heard.shape[1])
    differs = np.abs(heard[:, :length] - wanted[:, :length]).max(0) > 1e-4
    first = int(np.argmax(differs))
    assert differs.any()
    np.testing.assert_allclose(heard[:, :first], wanted[:, :first], atol=1e-4)
    late = (first - at_key) / desk.mixer.graph.sample_rate
    print(f"heard {1000 * late:.0f} ms after the key")
    shut = desk.studio.mixed({GAIN: 0.0})
    np.testing.assert_allclose(heard[:, first + 1024 : length], shut[:, first + 1024 : length], atol=1e-5)


def test_mute_and_solo_are_heard_and_no_part_of_the_mix(opened: Callable[..., Desk]) -> None:
    desk = opened(seconds=4)
    before = desk.session.project
    desk.page.get_by_role("button", name="solo track_a.drums").click()
    desk.until(lambda: desk.page.get_by_role("button", name="solo track_a.drums", pressed=True).count() == 1)
    desk.play()
    desk.until(lambda: desk.sounding() > 44100, "it does not play")
    heard = _sounding(desk.heard())[:, :44100]
    np.testing.assert_allclose(heard, desk.studio.inputs["track_a"]["drums"][:, :44100].numpy(), atol=2e-6)
    desk.page.get_by_role("button", name="mute track_a.drums").click()
    desk.until(lambda: not desk.heard()[:, -512:].any(), "it is not muted")
    assert desk.session.project == before


# ── Touched ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_knob_is_dragged_turned_typed_and_put_back(desk: Desk) -> None:
    page, knob, field = desk.page, desk.control(LOW), desk.field(LOW)
    column = desk.mixer.layout[LOW].control
    box = knob.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x, y - 40, steps=4)
    desk.until(lambda: desk.value(LOW) > 1.2, "not dragged")
    page.mouse.up()
    desk.until(lambda: LOW not in desk.session.player.hands.held, "not let go")
    assert desk.session.project.values[LOW] == pytest.approx(desk.value(LOW))

    dragged = desk.value(LOW)
    page.mouse.move(x, y)
    page.mouse.wheel(0, 100)
    desk.until(lambda: desk.value(LOW) < dragged, "not turned by the wheel")
    turned = desk.value(LOW)
    knob.press("ArrowUp")
    desk.until(lambda: desk.value(LOW) > turned, "not turned by a key")
    for key, wanted in (("Home", column.min), ("End", column.max), ("Delete", column.neutral)):
        knob.press(key)
        desk.until(lambda wanted=wanted: desk.value(LOW) == pytest.approx(wanted), f"{key} does nothing")

    field.fill("-3 dB")
    field.press("Enter")
    desk.until(lambda: desk.value(LOW) == pytest.approx(0.708, abs=0.001), "not typed")
    assert knob.get_attribute("aria-valuetext") == "−3.0 dB"
    for nonsense in ("loud", "1 kHz", "NaN", "1e999 dB", "<b>"):
        field.fill(nonsense)
        field.press("Enter")
    assert field.input_value() == "−3.0 dB"
    assert desk.value(LOW) == pytest.approx(0.708, abs=0.001)
    page.mouse.dblclick(x, y)
    desk.until(lambda: desk.value(LOW) == pytest.approx(column.neutral), "no double click")


def test_a_pad_moves_two_controls_and_leaves_them_there(opened: Callable[..., Desk]) -> None:
    """Let go, both are the project's, as after a knob: saved, and undone."""
    strip = {"strip": "one", "input": "deck", "chain": [PAD], "to": "out"}
    graph = {
        "djgraph": 1,
        "name": "pads",
        "inputs": [{"name": "deck"}],
        "mixer": [strip, {"bus": "out"}],
        "outputs": ["out"],
    }
    desk = opened(graph)
    page, player, project = desk.page, desk.session.player, lambda: desk.session.project
    page.get_by_role("button", name="XY").click()
    pad = page.locator(".pad")
    x, y = (f"one.{name}" for name in PAD["controls"])
    assert pad.get_attribute("aria-label") == f"pad: {x} across, {y} up; arrow keys move it"
    pad.hover(position={"x": 20, "y": 20})
    page.mouse.down()
    pad.hover(position={"x": 60, "y": 40})
    desk.until(lambda: {x, y} <= set(player.hands.held), "no hand on both")
    page.mouse.up()
    desk.until(lambda: not player.hands.held, "not let go")
    assert project().values == pytest.approx({name: desk.value(name) for name in (x, y)})
    before = desk.value(x)
    pad.press("ArrowRight")
    desk.until(lambda: not player.hands.held and project().values[x] > before, "no keys")


def test_what_is_typed_and_no_value_is_told(desk: Desk) -> None:
    field, said = desk.field("track_a.drums.eq_low"), desk.page.locator("#said.wrong")
    before = field.input_value()
    field.fill("loud")
    field.press("Enter")
    said.filter(has_text="“loud” is no value of track_a.drums.eq_low: ").wait_for()
    assert field.input_value() == before


def test_every_move_is_undone(desk: Desk) -> None:
    for text in ("-6 dB", "-12 dB"):
        desk.field(GAIN).fill(text)
        desk.field(GAIN).press("Enter")
        wanted = 10 ** (float(text.removesuffix(" dB")) / 20)
        desk.until(
            lambda wanted=wanted: desk.session.project.values.get(GAIN) == pytest.approx(wanted, rel=1e-3)
        )
    desk.page.keyboard.press("Escape")
    desk.control(GAIN).focus()
    for wanted in (0.501, 1.0):
        desk.page.keyboard.press("Control+z")
        desk.until(lambda wanted=wanted: desk.value(GAIN) == pytest.approx(wanted, rel=1e-3), "not undone")
    desk.until(lambda: desk.control(GAIN).get_attribute("aria-valuetext") == "0.0 dB", "not shown")


def test_the_filter_bar_and_folding(desk: Desk) -> None:
    page = desk.page
    page.get_by_role("searchbox").or_(page.locator("input.filter")).first.fill("drums low")
    shown = page.locator("[data-control]:visible")
    desk.until(lambda: 0 < shown.count() <= 4, "not sifted")
    assert all("drums" in name for name in shown.evaluate_all("all => all.map(one => one.dataset.control)"))
    page.locator("input.filter").fill("")
    desk.until(lambda: shown.count() > 30, "not all again")
    fold = page.get_by_role("button", name="fold track_a.drums")
    fold.click()
    assert not desk.control(LOW).is_visible()
    assert desk.control(GAIN).is_visible()
    fold.click()
    assert desk.control(LOW).is_visible()


# ── Two pages, lost connections ─────────────────────────────────────────────────────────────────────────────


def test_two_pages_stay_in_step(desk: Desk) -> None:
    other = desk.open()
    desk.control(GAIN).focus()
    desk.page.keyboard.press("Home")
    desk.until(
        lambda: desk.control(GAIN, other).get_attribute("aria-valuenow") == "0", "the other does not follow"
    )
    other.get_by_role("button", name="Undo").click()
    desk.until(lambda: desk.control(GAIN).get_attribute("aria-valuenow") == "1", "the first does not follow")
    other.get_by_role("button", name="mute track_b.bass").click()
    desk.page.get_by_role("button", name="mute track_b.bass", pressed=True).wait_for()
    desk.play()
    other.get_by_role("button", name="Stop", exact=True).wait_for()
    other.get_by_role("button", name="Stop", exact=True).click()
    desk.page.get_by_role("button", name="Play", exact=True).wait_for()


def test_a_lost_connection_loses_nothing(desk: Desk) -> None:
    """The server is away for a while, and what was said meanwhile arrives, once each."""
    page, studio = desk.page, desk.studio
    port, token = studio.port, studio.token
    studio.halt()
    status = page.get_by_role("status")
    desk.until(lambda: "not there" in (status.text_content() or ""), "it is not said")
    for text in ("-6 dB", "-20 dB"):
        desk.field(GAIN).fill(text)
        desk.field(GAIN).press("Enter")
    page.get_by_role("button", name="mute track_b.bass").click()
    studio.serve(port, token)
    desk.until(lambda: desk.value(GAIN) == pytest.approx(0.1, rel=1e-3), "what was said did not arrive")
    page.get_by_role("button", name="mute track_b.bass", pressed=True).wait_for()
    desk.until(lambda: not status.text_content(), "it is still said to be away")
    desk.until(lambda: desk.field(GAIN).input_value() == "−20.0 dB", "the page shows something else")
    assert page.evaluate("() => document.activeElement !== document.body")


def test_a_drag_outlasts_a_lost_connection(desk: Desk) -> None:
    """The page is the one that it was, and follows what has happened meanwhile."""
    page, studio, knob = desk.page, desk.studio, desk.control(LOW)
    port, token = studio.port, studio.token
    box = knob.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x, y - 10, steps=2)
    desk.until(lambda: desk.value(LOW) > 1, "not dragged")
    studio.halt()
    status = page.locator("#said")
    desk.until(lambda: "not there" in (status.text_content() or ""), "it is not said")
    before = desk.value(LOW)
    studio.session.take(f'{{"do": "hold", "control": "{GAIN}", "value": 0.5}}')
    studio.session.take('{"do": "listen", "muted": ["track_b.bass"], "soloed": []}')
    studio.serve(port, token)
    desk.until(lambda: not status.text_content(), "it is still said to be away")
    desk.until(lambda: desk.control(GAIN).get_attribute("aria-valuenow") == "0.5", "it does not follow")
    page.get_by_role("button", name="mute track_b.bass", pressed=True).wait_for()
    page.mouse.move(x, y - 40, steps=4)
    desk.until(lambda: desk.value(LOW) > before + 0.1, "the drag does not go on")
    page.mouse.up()
    desk.until(lambda: LOW not in desk.session.player.hands.held, "not let go")


def test_a_page_that_is_reloaded_finds_all_as_it_was(desk: Desk) -> None:
    page = desk.page
    desk.field(GAIN).fill("-12 dB")
    desk.field(GAIN).press("Enter")
    page.get_by_role("button", name="mute track_b.bass").click()
    page.get_by_role("tab", name="Timeline").click()
    desk.until(lambda: desk.session.project.values.get(GAIN) == pytest.approx(0.251, rel=1e-2))
    page.reload()
    page.get_by_role("tab", name="Timeline", selected=True).wait_for()
    page.get_by_role("tab", name="Console").click()
    assert desk.field(GAIN).input_value() == "−12.0 dB"
    page.get_by_role("button", name="mute track_b.bass", pressed=True).wait_for()
    page.get_by_role("button", name="Undo").click()
    desk.until(lambda: desk.value(GAIN) == 1, "not undone")


def test_the_last_page_that_plays_has_the_sound(desk: Desk) -> None:
    desk.session.player.loop((0, 40_000))
    desk.play()
    desk.until(lambda: desk.sounding() > 1000, "it does not play")
    other = desk.open()
    other.get_by_role("button", name="Stop", exact=True).click()
    other.get_by_role("button", name="Play", exact=True).click()
    desk.until(lambda: desk.sounding(other) > 1000, "the other does not play")
    desk.until(
        lambda: "another page" in (desk.page.get_by_role("status").text_content() or ""), "it is not said"
    )


def test_faders_follow_what_moves_them(opened: Callable[..., Desk]) -> None:
    desk = opened(seconds=4)
    desk.session.take('{"do": "place", "recipe": "linear", "start": 0, "length": 8}')
    desk.play()
    fader = desk.control(GAIN)
    desk.until(lambda: 0 < float(fader.get_attribute("aria-valuenow") or "nan") < 0.9, "it does not move")
