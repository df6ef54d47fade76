"""The front end as text: its types, what it may not do, that it is packed, and that nothing comes from elsewhere."""

from __future__ import annotations

import re
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
WEB = ROOT / "djgraph" / "studio" / "web"
OWN = sorted(path for path in WEB.rglob("*") if path.is_file() and "vendor" not in path.parts)
SCRIPTS = [path for path in OWN if path.suffix == ".js"]
FORBIDDEN = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|javascript:|Attribute\(\"on"
TYPESCRIPT = "typescript@5"


@pytest.mark.slow
def test_types() -> None:
    """TypeScript's strict checker over the comments."""
    npx = shutil.which("npx")
    if npx is None:
        pytest.skip("no npx: types of the front end are not checked")
    tsc = [npx, "--yes", "-p", TYPESCRIPT, "tsc"]
    version = subprocess.run([*tsc, "--version"], capture_output=True, text=True, cwd=ROOT, check=False)
    if version.returncode:
        pytest.skip("no TypeScript, and none to be had: types of the front end are not checked")
    config = Path(__file__).parent / "types" / "tsconfig.json"
    found = subprocess.run([*tsc, "-p", str(config)], capture_output=True, text=True, cwd=ROOT, check=False)
    assert found.stdout == ""
    assert found.returncode == 0


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_scripts_are_checked_and_make_no_markup_of_text(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.startswith("// @ts-check\n"), "types in comments are checked"
    assert text.split("\n")[1].startswith("// "), "the second line says what for"
    assert re.search(FORBIDDEN, text) is None
    assert "// @ts-ignore" not in text
    assert "// @ts-nocheck" not in text


@pytest.mark.parametrize("path", OWN, ids=lambda path: path.name)
def test_nothing_is_asked_of_another_machine(path: Path) -> None:
    """The only addresses are names of XML's languages."""
    names = set(
        re.findall(r"(?:https?:)?//[a-z0-9-]+(?:\.[a-z0-9-]+)+[^\s\"'`)]*", path.read_text(encoding="utf-8"))
    )
    assert {name for name in names if "www.w3.org" not in name} == set()


def test_vendored_files_have_licences() -> None:
    vendor = WEB / "vendor"
    packed = [path for path in vendor.rglob("*") if path.is_file()] if vendor.exists() else []
    if not packed:
        return
    listed = (vendor / "LICENSES.md").read_text(encoding="utf-8")
    for path in packed:
        assert path.name == "LICENSES.md" or path.name in listed, path


@pytest.mark.slow
def test_the_front_end_is_packed(tmp_path: Path) -> None:
    """A wheel, built without the network, has every file."""
    code = "import sys; from setuptools import build_meta; print(build_meta.build_wheel(sys.argv[1]))"
    source = tmp_path / "source"
    ignore = shutil.ignore_patterns(
        ".git", "tests", "build", "*.egg-info", "__pycache__", ".*_cache", "benchmarks", "docs"
    )
    shutil.copytree(ROOT, source, ignore=ignore)
    import sys

    built = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], cwd=source, capture_output=True, text=True, check=False
    )
    assert built.returncode == 0, built.stderr[-2000:]
    (wheel,) = tmp_path.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    wanted = {path.relative_to(ROOT).as_posix() for path in WEB.rglob("*") if path.is_file()}
    assert wanted <= names
