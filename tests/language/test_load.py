"""Where a document comes from: names, paths, text, mappings; and files that are none."""

from __future__ import annotations

import copy
import os
import pickle
from pathlib import Path

import pytest

from djgraph.errors import DocumentError
from djgraph.language import limits, load_document

TEXT = "djgraph: 1\nname: tiny\nmixer: [bus: master]\noutputs: [master]\n"


def refusal(source: object, **graphs: Path) -> str:
    with pytest.raises(DocumentError) as caught:
        load_document(source, graphs)  # type: ignore[arg-type]
    return str(caught.value)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.yaml"
    path.write_text(TEXT)
    return path


def test_name_path_text_and_mapping_are_the_same_document(file: Path) -> None:
    sources = [file, str(file), TEXT, load_document(TEXT).source.data]
    documents = [load_document(source) for source in sources] + [load_document("tiny", {"tiny": file})]
    assert {document.model.name for document in documents} == {"tiny"}
    assert all(document.source.data == documents[0].source.data for document in documents)
    assert [document.file for document in documents] == [str(file), str(file), None, None, str(file)]


def test_one_line_of_json_is_text() -> None:
    text = '{"djgraph": 1, "name": "j", "mixer": [{"bus": "m"}], "outputs": ["m"]}'
    assert load_document(text).model.name == "j"


def test_a_byte_order_mark_and_windows_line_ends_do_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "w.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + TEXT.replace("\n", "\r\n").encode())
    assert load_document(path).model.name == "tiny"


def test_unknown_name() -> None:
    message = refusal("dj_mixr", dj_mixer=Path("a"), club_console=Path("b"))
    assert "there is no graph named 'dj_mixr'" in message
    assert "allowed: dj_mixer, club_console" in message
    assert "did you mean: dj_mixer" in message
    assert ".yaml" in message


def test_missing_file_names_its_neighbour(file: Path) -> None:
    message = refusal(file.with_name("tinny.yaml"))
    assert f"there is no file {file.with_name('tinny.yaml')}" in message
    assert "did you mean: tiny.yaml" in message


def test_missing_folder(tmp_path: Path) -> None:
    assert f"nor a folder {tmp_path / 'none'}" in refusal(tmp_path / "none" / "a.yaml")


def test_folder(file: Path) -> None:
    message = refusal(file.parent)
    assert "is a folder, not a graph file" in message
    assert "allowed: tiny.yaml" in message


def test_not_utf8(tmp_path: Path) -> None:
    path = tmp_path / "latin.yaml"
    path.write_bytes(b"djgraph: 1\ntitle: caf\xe9\n")
    assert refusal(path) == f"{path} is not UTF-8: byte 0xe9 in line 2"


def test_binary(tmp_path: Path) -> None:
    path = tmp_path / "mix.wav"
    path.write_bytes(b"RIFF\0\0\0\0WAVE")
    assert f"{path} is not text" in refusal(path)


def test_empty_file(tmp_path: Path) -> None:
    path = tmp_path / "empty.yaml"
    path.touch()
    assert refusal(path).startswith(f"{path}:1:1: there is nothing in it")


def test_large_file(tmp_path: Path) -> None:
    path = tmp_path / "large.yaml"
    path.write_bytes(b"#" * (limits.FILE_BYTES + 1))
    assert "larger than 1 000 000 bytes (the limit for a graph file)" in refusal(path)


def test_large_text_is_refused_like_a_large_file() -> None:
    assert "larger than 1 000 000 bytes" in refusal("#" * limits.FILE_BYTES + "\n")


@pytest.mark.skipif(not os.path.exists("/dev/zero"), reason="there is no endless file here")
def test_endless_file() -> None:
    assert "is a device" in refusal(Path("/dev/zero"))


def test_unreadable_path() -> None:
    assert "cannot read" in refusal("a\0b.yaml")
    assert "cannot read" in refusal(Path("x" * 5000))


def test_something_else() -> None:
    assert "cannot load a graph from int" in refusal(3)


def test_the_error_can_be_pickled_and_copied() -> None:
    with pytest.raises(DocumentError) as caught:
        load_document("djgraph: 2\n")
    again = pickle.loads(pickle.dumps(caught.value))
    assert str(again) == str(caught.value)
    assert again.problems == caught.value.problems
    assert str(copy.deepcopy(caught.value)) == str(caught.value)


def test_documents_need_no_torch() -> None:
    """The document stage stays usable, and quick, where PyTorch is not needed."""
    import subprocess
    import sys

    code = (
        "import sys; from djgraph.language import load_document; import djgraph.language.schema; "
        f"load_document({TEXT!r}); sys.exit('torch' in sys.modules or 'networkx' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
