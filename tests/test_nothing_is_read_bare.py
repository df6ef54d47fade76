"""Files are read by djgraph.reading alone, so that limits and places hold everywhere."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
BARE = re.compile(r"json\.loads?\(|np\.load\(|torch\.load\(|pickle\.loads?\(|open_memmap\(|\.read_text\(")
ALLOWED = {
    "djgraph/reading.py": "it is the one",
    "djgraph/cli/options.py": "reads the command line",
    "djgraph/data/description.py": "reads what it has just written",
    "djgraph/sound.py": "reads what it has just written",
    "djgraph/nn.py": "names torch.load in a docstring",
    "djgraph/simd/disk.py": "compiled code, behind a checksum and its owner",
    "djgraph/effects/checks/any_effect.py": "copies an effect by pickling",
    "djgraph/training/session.py": "reads what it has just written",
}


def test_nothing_is_read_bare() -> None:
    files = [*(ROOT / "djgraph").rglob("*.py"), *(ROOT / "examples").rglob("*.py")]
    found = {
        path.relative_to(ROOT).as_posix() for path in files if BARE.search(path.read_text(encoding="utf-8"))
    }
    assert found <= set(ALLOWED)
