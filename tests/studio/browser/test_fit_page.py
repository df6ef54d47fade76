"""A fit is begun on the page, watched, seen as ghosts, taken by hand, and heard; a model is asked."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from djgraph.studio.curves import automation_of
from djgraph.studio.project import Project
from djgraph.studio.target import Target
from studio.browser.desk import Desk
from studio.small import GRAPH, RATE, mixed, moves
from studio.test_models import save_model

pytestmark = pytest.mark.slow
SECONDS = 3.0


def _open(opened: Callable[..., Desk]) -> Desk:
    desk = opened(GRAPH, SECONDS, "console")
    desk.session.target = Target("mix.wav", mixed(desk.mixer, desk.studio.inputs, moves()))
    return desk


def test_a_fit_is_seen_taken_and_heard(opened: Callable[..., Desk]) -> None:
    desk = _open(opened)
    page = desk.page = desk.open("fit")
    page.get_by_label("Steps").fill("2")
    page.get_by_role("button", name="Start").click()
    page.get_by_role("button", name="Stop", exact=True).wait_for()
    bar = page.get_by_role("toolbar", name="Proposal")
    bar.wait_for()
    assert "the fit of mix.wav: 2 controls" in bar.inner_text()
    assert page.locator(".losses").get_attribute("aria-label").startswith("Loss after")
    assert "SI-SDR" in page.locator(".report").inner_text()
    # Ghosts stand where the proposal has them.
    page.get_by_role("tab", name="Console").click()
    ghost = page.locator('[data-control="right.gain"] .cap.ghost')
    ghost.wait_for()
    desk.session.take('{"do": "seek", "seconds": 2.9}')
    proposal = desk.session.proposal
    assert proposal is not None
    take = page.get_by_role("button", name="Take left.gain as proposed")
    desk.until(lambda: "\u2212" in (take.get_attribute("aria-label") or ""), "the fader is not down")
    # One control, undone; then all.
    take.click()
    desk.until(
        lambda: [lane.control for lane in desk.session.project.lanes] == ["left.gain"], "it is not taken"
    )
    page.get_by_role("button", name="Undo").click()
    desk.until(lambda: not desk.session.project.lanes, "it is not undone")
    desk.session.take('{"do": "seek", "seconds": 0}')
    bar.get_by_role("button", name="Take all").click()
    desk.until(lambda: len(desk.session.project.lanes) == 2, "not all is taken")
    # What is heard is the mix of the fit's automation, which is the target.
    project = Project(lanes=tuple(proposal.lanes.values()))
    auto = automation_of(project, desk.mixer.layout, SECONDS)
    wanted = mixed(desk.mixer, desk.studio.inputs, auto).numpy()
    desk.play()
    desk.until(lambda: desk.sounding() >= 0.95 * wanted.shape[1], "not all was heard")
    heard = desk.heard()[:, :RATE]
    heard = heard[:, np.any(heard != 0, axis=0)]
    np.testing.assert_allclose(heard, wanted[:, : heard.shape[1]], atol=2e-6)
    assert desk.session.target is not None
    off = wanted - desk.session.target.audio.numpy()
    assert float((off**2).sum() / (wanted**2).sum()) < 1e-3
    bar.get_by_role("button", name="Dismiss").click()
    desk.until(lambda: not bar.is_visible(), "the bar stays")
    assert page.locator(".cap.ghost:visible").count() == 0


def test_a_model_is_loaded_asked_and_put_into_the_other_version(
    opened: Callable[..., Desk], tmp_path: Path
) -> None:
    desk = _open(opened)
    save_model(tmp_path / "run" / "checkpoint.safetensors")
    other = {**GRAPH, "mixer": [{**GRAPH["mixer"][0], "chain": []}, *GRAPH["mixer"][1:]]}
    save_model(tmp_path / "other" / "checkpoint.safetensors", graph=other)
    desk.session.folders = (tmp_path,)
    page = desk.page = desk.open("fit")
    page.get_by_role("button", name="Load").click()
    page.get_by_role("button", name="Carry over by name").wait_for()
    assert "another parameter layout" in page.get_by_role("region", name="Ask a model").inner_text()
    page.get_by_label("Checkpoint").select_option(label=f"{tmp_path.name}/run/checkpoint.safetensors")
    page.get_by_label("Transition").select_option("fade")
    page.get_by_label("Bars").fill("1")
    page.get_by_role("button", name="Propose").click()
    bar = page.get_by_role("toolbar", name="Proposal")
    bar.wait_for()
    bar.get_by_role("button", name="Take its region").wait_for()
    bar.get_by_role("button", name="Put into B").click()
    desk.until(lambda: desk.session.project.other is not None, "there is no other version")
    assert desk.session.project.lanes == ()
    assert desk.session.project.other is not None
    assert desk.session.proposal is not None
    assert desk.session.project.other.lanes == tuple(desk.session.proposal.lanes.values())


def test_nothing_is_to_be_chosen_where_there_is_nothing(opened: Callable[..., Desk]) -> None:
    """Neither mix nor checkpoint: the page says how to have one, and shows no empty lists."""
    desk = opened(view="fit")
    view = desk.page.locator("#panel-fit")
    view.get_by_text("There is no mix: open the studio with").wait_for()
    view.get_by_text("There is no checkpoint: open the studio with").wait_for()
    assert view.locator("select:visible, button:visible").count() == 0
