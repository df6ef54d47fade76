"""The transport in a real browser: keys, loop, tempo, and how the sound is made."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from studio.browser.desk import Desk

pytestmark = pytest.mark.slow


def test_space_plays_and_stops(desk: Desk) -> None:
    page, player = desk.page, desk.session.player
    page.locator("body").press(" ")
    desk.until(lambda: player.transport.playing)
    desk.until(lambda: desk.sounding() > 2000)
    page.locator("body").press(" ")
    desk.until(lambda: not player.transport.playing)
    page.locator("body").press("Shift+ ")
    desk.until(lambda: player.transport.position == 0)
    field = page.get_by_label("Filter controls").or_(page.locator(".filter")).first
    field.press(" ")
    assert not player.transport.playing


def test_space_is_the_transports_but_on_buttons_that_keys_led_to(desk: Desk) -> None:
    """A button that was clicked has the focus, too; whoever came to it by Tab presses it."""
    page, player = desk.page, desk.session.player

    def plays(wanted: bool) -> None:
        desk.until(lambda: player.transport.playing == wanted, f"playing is not {wanted}")

    held = page.get_by_role("button", name="Held only")
    held.click()
    assert held.evaluate("one => one === document.activeElement")
    page.keyboard.press(" ")
    plays(True)
    assert held.get_attribute("aria-pressed") == "true"
    page.keyboard.press(" ")
    plays(False)
    page.keyboard.press("Tab")
    page.keyboard.press("Shift+Tab")
    assert held.evaluate("one => one === document.activeElement")
    page.keyboard.press(" ")
    desk.until(lambda: held.get_attribute("aria-pressed") == "false", "not pressed")
    assert not player.playing
    held.click()  # it had the focus by keys
    page.keyboard.press(" ")
    plays(True)
    page.get_by_role("tab", name="Timeline").click()
    page.locator(".tl-recipe:enabled").first.click()
    page.locator(".tl-clip").wait_for()
    page.keyboard.press(" ")
    plays(False)
    page.locator(".tl-clip").focus()
    page.keyboard.press(" ")
    plays(True)
    lanes = page.get_by_label("Lanes", exact=True)
    lanes.select_option("all")
    lanes.focus()
    page.keyboard.press("Tab")
    page.keyboard.press(" ")  # in the field of the filter
    assert page.get_by_label("Filter lanes").input_value() == " "
    assert player.playing


def test_loop_and_tempo(opened: Callable[..., Desk]) -> None:
    desk = opened(seconds=10.0)
    page, session = desk.page, desk.session
    page.get_by_role("button", name="Loop").click()
    desk.until(lambda: session.project.loop == (0.0, 16.0))
    tempo = page.get_by_label("Tempo in BPM")
    tempo.fill("240")
    tempo.press("Enter")
    desk.until(lambda: session.project.clock.bpm(0.0) == 240)
    # Commands come in order, and loops lie at beats.
    desk.until(lambda: (session.player.block(64), session.player.transport.loop)[1] == (0, 4 * 44100))
    assert page.locator(".place .bar").text_content() == "1.1"
    page.get_by_role("button", name="Loop").click()
    desk.until(lambda: session.project.loop is None)


def test_how_the_sound_is_made(opened: Callable[..., Desk]) -> None:
    desk = opened(seconds=20.0)
    page, session = desk.page, desk.session
    desk.play()
    desk.until(lambda: desk.sounding() > 2000)
    page.locator("details.load summary").click()
    page.get_by_label("Blocks").select_option("1024")
    desk.until(lambda: session.player.tick == 1024)
    page.get_by_label("Filters").select_option("causal")
    desk.until(lambda: session.player.setup.mixer.lowering == "causal")
    page.locator("details.load summary").press("Escape")
    assert page.get_by_label("Blocks").is_hidden()


def test_a_machine_that_is_too_slow_is_told_where_it_is_heard(desk: Desk) -> None:
    """In the line that screen readers follow, once, with the sheet closed."""
    said, state = desk.page.locator("#said[aria-live=polite]"), desk.session.snapshot()["sound"]
    over = {"load": 1.48, "late": 1.6, "causes": [["reverb", 0.9], ["stretch", 0.5]]}
    desk.session.tell({"event": "sound", "sound": {**state, "over": over}})
    said.filter(has_text="too slow: 48 % over budget: reverb, stretch").wait_for()
    desk.session.tell({"event": "say", "message": "another word"})
    said.filter(has_text="another word").wait_for()
    desk.session.tell({"event": "sound", "sound": {**state, "over": {**over, "load": 1.5}}})
    desk.page.locator("details.load summary", has_text="50 % over budget").wait_for()
    assert said.text_content() == "another word"
    desk.session.tell({"event": "sound", "sound": {**state, "over": None}})
    said.filter(has_text="fast enough again").wait_for()
