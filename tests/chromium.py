"""Chromium for tests: the system's or Playwright's own; without one, what needs it is skipped, with the reason."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

ARGUMENTS = ("--no-sandbox", "--autoplay-policy=no-user-gesture-required")
NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")


@contextmanager
def chromium(*more: str) -> Iterator[Any]:
    """A browser without a window, of Playwright. more: arguments of its command line."""
    playwright = pytest.importorskip("playwright.sync_api", reason="no Playwright: pip install playwright")
    with playwright.sync_playwright() as opened:
        path = next((path for name in NAMES if (path := shutil.which(name))), None)
        if path is None and not Path(opened.chromium.executable_path).exists():
            pytest.skip("no Chromium: apt-get install chromium, or playwright install chromium")
        made = opened.chromium.launch(executable_path=path, args=[*ARGUMENTS, *more])
        yield made
        made.close()
