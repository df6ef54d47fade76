"""A page is opened, played, heard and touched."""

from __future__ import annotations

import numpy as np
import pytest

from studio.browser.desk import Desk

pytestmark = pytest.mark.slow
GAIN = "track_a.drums.gain"


def test_what_is_heard_is_what_the_mixer_makes(desk: Desk) -> None:
    wanted = desk.studio.mixed().numpy()
    desk.play()
    desk.until(lambda: desk.sounding() >= wanted.shape[1], "not all was heard")
    heard = _sounding(desk.heard())[:, : wanted.shape[1]]
    np.testing.assert_allclose(heard, wanted, atol=2e-6)
    desk.until(
        lambda: desk.page.get_by_role("button", name="Play", exact=True).is_visible(), "it does not end"
    )


def _sounding(audio: np.ndarray) -> np.ndarray:
    """Without gaps: on a full machine there may be some, and noise is never zero."""
    return audio[:, np.any(audio != 0, axis=0)]
