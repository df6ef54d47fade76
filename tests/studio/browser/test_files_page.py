"""Files in a real browser: what goes out and is downloaded, saves that are kept and restored, where one was."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import djgraph
from djgraph.studio.begin import begin
from djgraph.studio.keeping import Keep
from djgraph.studio.project import Origin
from studio.browser.desk import Desk
from studio.served import Studio

pytestmark = pytest.mark.slow
GAIN = "track_a.drums.gain"


class _Kept(Studio):
    """A studio that keeps its project in a folder."""

    def __init__(self, folder: Path) -> None:
        self.session = begin(Keep(folder), Origin())
        self.mixer = self.session.mixer
        self.serve()


@pytest.fixture
def kept(opened: Callable[..., Desk], tmp_path: Path) -> Iterator[Desk]:
    desk = opened(studio=_Kept(tmp_path / "project"), view="files")
    desk.page.wait_for_selector(".files")
    return desk


def test_a_file_is_written_and_downloaded(kept: Desk) -> None:
    session, page = kept.session, kept.page
    session.change(session.project.model_copy(update={"values": {GAIN: 0.25}}), "move")
    page.get_by_label("File name").fill("my moves")
    page.get_by_role("button", name="Write Automation as YAML").click()
    with page.expect_download() as download:
        page.get_by_role("link", name="my moves.automation.yaml").click()
    assert download.value.suggested_filename == "my moves.automation.yaml"
    auto = djgraph.automation.load(Path(download.value.path()).read_text())
    assert float(auto.render(kept.mixer.layout, 1, 1.0)[0, kept.mixer.layout.index(GAIN)]) == 0.25
    page.get_by_role("button", name="Write Automation as YAML").click()
    page.get_by_role("link", name="my moves 2.automation.yaml").wait_for()


def test_an_export_that_takes_long_can_be_ended(kept: Desk) -> None:
    page = kept.page
    page.get_by_role("button", name="Write Mix as WAV").click()
    page.get_by_role("button", name="Cancel").click()
    page.get_by_text("ended").wait_for()
    assert page.locator(".written a").count() == 0


def test_a_save_is_kept_and_restored_by_keys_alone(kept: Desk) -> None:
    session, page = kept.session, kept.page
    session.change(session.project.model_copy(update={"values": {GAIN: 0.25}}), "move")
    page.get_by_label("Note").focus()
    page.keyboard.type("before the drop")
    page.keyboard.press("Enter")
    page.get_by_text("before the drop").wait_for()
    session.change(session.project.model_copy(update={"values": {GAIN: 0.75}}), "move on")
    page.locator("li.kept button").focus()
    page.keyboard.press("Enter")
    kept.until(lambda: session.project.values == {GAIN: 0.25})
    label = session.history.labels[0]
    assert label is not None
    assert label.startswith("restore save")


def test_the_view_that_was_open_is_opened_again(kept: Desk) -> None:
    kept.page.get_by_role("tab", name="Timeline").click()
    kept.until(lambda: kept.session.snapshot()["saving"]["view"] == "timeline")
    other = kept.open("")
    assert other.get_by_role("tab", selected=True).inner_text() == "Timeline"


def test_a_session_without_a_folder_offers_no_files(desk: Desk) -> None:
    """As of djgraph live: it has a name, and neither exports nor saves that would be refused."""
    page = desk.page
    page.get_by_role("tab", name="Files").click()
    page.get_by_text("not kept in a folder").wait_for()
    assert page.locator("#panel-files button, #panel-files .state:visible").count() == 0
    assert page.locator("#panel-files").get_by_label("Name").input_value() == desk.session.project.name
