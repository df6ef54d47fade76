"""Graph and text: what is wrong is seen and mended, what is saved is heard, clicks lead from one view to another."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from studio.browser.desk import Desk
from studio.test_texts import MIXER

pytestmark = pytest.mark.slow


@pytest.fixture
def shown(opened: Callable[..., Desk], tmp_path: Path) -> tuple[Desk, Path]:
    path = tmp_path / "mine.yaml"
    path.write_text(MIXER)
    return opened(path, seconds=20, view="graph"), path


def _write(desk: Desk, old: str, new: str) -> None:
    """As a hand would: what is there chosen, and the other typed."""
    desk.page.locator("textarea.area").evaluate(
        "(area, old) => { const at = area.value.indexOf(old); area.focus();"
        " area.setSelectionRange(at, at + old.length); }",
        old,
    )
    desk.page.keyboard.insert_text(new)


def test_a_mistake_is_seen_and_mended_and_what_is_saved_is_heard(shown: tuple[Desk, Path]) -> None:
    desk, path = shown
    page = desk.page
    page.get_by_text("sound: ").wait_for()
    desk.play()
    _write(desk, "effect: delay", "effect: dellay")
    wrong = page.locator(".problems li.error")
    wrong.wait_for()
    assert "10:17" in wrong.inner_text()
    assert "did you mean delay" in wrong.inner_text()
    assert page.locator(".number.error").inner_text() == "10"
    page.get_by_role("button", name="Write delay").click()
    page.get_by_text("sound: ").wait_for()
    assert page.locator(".problems li").count() == 0
    before = desk.session.mixer
    _write(desk, "time: 50", "time: 80")
    page.keyboard.press("Control+s")
    desk.until(lambda: desk.session.mixer is not before, "it does not take over")
    assert path.read_text() == MIXER.replace("time: 50", "time: 80")
    assert desk.session.player.mixer.graph.by_id["deck.delay"].settings.time == 80  # type: ignore[union-attr]
    assert desk.session.player.transport.playing


def test_clicks_and_keys_lead_to_the_console_and_back(shown: tuple[Desk, Path]) -> None:
    desk, _ = shown
    page = desk.page
    row = page.locator("g.row[data-of='deck.delay']")
    row.wait_for()
    row.focus()
    page.keyboard.press("Enter")
    assert page.get_by_role("tab", name="Console").get_attribute("aria-selected") == "true"
    focused = "document.activeElement.closest('[data-control]')?.dataset.control ?? ''"
    assert page.evaluate(focused).startswith("deck.delay."), page.evaluate("document.activeElement.outerHTML")
    page.get_by_role("button", name="show deck in the graph").click()
    page.locator("g.box[data-id='deck'].flash").wait_for()
    assert page.get_by_role("tab", name="Graph and text").get_attribute("aria-selected") == "true"


def test_what_another_program_writes_is_offered(shown: tuple[Desk, Path]) -> None:
    desk, path = shown
    page = desk.page
    page.get_by_text("sound: ").wait_for()
    path.write_text(MIXER + "# from elsewhere\n")
    page.get_by_role("button", name="Load it").click()
    area = page.locator("textarea.area")
    desk.until(lambda: area.input_value().endswith("# from elsewhere\n"), "it is not loaded")


def test_a_page_that_was_away_is_made_anew_where_its_graph_has_changed(shown: tuple[Desk, Path]) -> None:
    desk, path = shown
    page, studio, session = desk.page, desk.studio, desk.session
    port, token, before = studio.port, studio.token, session.mixer
    page.locator("g.row[data-of='deck.delay']").wait_for()
    studio.halt()
    path.write_text(MIXER.replace("      - gain\n", "      - eq3\n"))
    session.take('{"do": "fetch_text"}')
    desk.until(lambda: session.mixer is not before, "it does not take over")
    studio.serve(port, token)
    page.locator("g.row[data-of='deck.eq3']").wait_for()
    page.get_by_role("tab", name="Console").click()
    page.locator("[data-control^='deck.eq3.']").first.wait_for()
    assert page.locator("[data-control^='deck.gain.']").count() == 0
