"""Lets the tests of the layout import ``fake_layouts`` from the folder above when they run alone."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
