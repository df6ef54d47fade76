"""What a command reads is never written over, by whatever name; outside a command nothing is refused."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from djgraph.atomic import atomic_writer, write_text
from djgraph.errors import AudioFileError, InputError
from djgraph.guard import claim, guarded, reading, refuse, written


def link(target: Path, name: str, kind: str) -> Path:
    """Another name for a file."""
    other = target.parent / name
    if kind == "symbolic link":
        other.symlink_to(target)
    elif kind == "hard link":
        os.link(target, other)
    elif kind == "link to its folder":
        folder = target.parent / f"{name}-folder"
        folder.symlink_to(target.parent)
        return folder / target.name
    elif kind == "detour":
        (target.parent / "sub").mkdir(exist_ok=True)
        return target.parent / "sub" / ".." / target.name
    elif kind == "relative":
        return Path(os.path.relpath(target))
    else:
        return target
    return other


KINDS = ["itself", "symbolic link", "hard link", "link to its folder", "detour", "relative"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_that_was_read_is_not_written(tmp_path: Path, kind: str) -> None:
    file = tmp_path / "graph.yaml"
    file.write_text("precious")
    other = link(file, "other.yaml", kind)
    with guarded():
        reading(file)
        with pytest.raises(InputError, match="is one of the inputs"):
            claim(other)
        with (
            pytest.raises(AudioFileError, match="is one of the inputs"),
            atomic_writer(other, AudioFileError),
        ):
            pytest.fail("opened")
    assert file.read_text() == "precious"
    assert not list(tmp_path.glob("**/*.part"))
    with guarded():
        claim(other)
        with pytest.raises(InputError, match="is one of the inputs"):
            reading(file)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("there", [False, True])
def test_two_outputs_are_two_files(tmp_path: Path, kind: str, there: bool) -> None:
    file = tmp_path / "out.json"
    if there or kind == "hard link":
        file.write_text("old")
    other = link(file, "other.json", kind)
    with guarded(), pytest.raises(InputError, match="two of the files to write have the same name"):
        claim(file, None, other)
    with guarded():
        claim(file, tmp_path / "next.json", None)


def test_other_files_are_written(tmp_path: Path) -> None:
    file, out = tmp_path / "in.yaml", tmp_path / "out.yaml"
    file.write_text("a")
    with guarded():
        reading(file)
        claim(out)
        assert not written()
        write_text(out, "b")
        assert written()
        reading(out)  # the command's own work, read back, and written again
        write_text(out, "c")
        refuse(out)
    assert out.read_text() == "c"


def test_the_number_of_a_file_that_is_gone_is_no_name_of_it(tmp_path: Path) -> None:
    with guarded():
        for i in range(50):  # file systems give the same number again at once
            file = tmp_path / f"in{i}"
            file.write_text("x")
            reading(file)
            file.unlink()
            out = tmp_path / f"out{i}"
            out.write_text("y")
            claim(out)
            write_text(out, "z")


def test_outside_a_command_nothing_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "x"
    reading(file)
    claim(file, file)
    write_text(file, "x")
    reading(file)
    write_text(file, "y")
    assert not written()


def test_one_command_after_another(tmp_path: Path) -> None:
    file = tmp_path / "x"
    file.write_text("x")
    with guarded():
        reading(file)
    with guarded():
        claim(file)
        write_text(file, "y")


def test_names_that_no_file_can_have_pass(tmp_path: Path) -> None:
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    with guarded():
        for name in ("a\0b", loop, tmp_path / ("x" * 5000), os.fsdecode(b"\xff\xfe")):
            reading(name)
            refuse(tmp_path / "other")
