"""Routes of the studio's parts, asked for what there is not, what is not theirs, and what is hostile."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from djgraph.studio.parts.exports import Exports

from .served import Studio
from .test_server import GRAPH, Asked, ask


@pytest.fixture(scope="module")
def studio() -> Iterator[Studio]:
    made = Studio(GRAPH, seconds=0.25)
    yield made
    made.close()


@pytest.fixture
def exported(studio: Studio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of exports, with a file, one that is hidden, a folder, a link that leads out; and a secret beside it."""
    folder = tmp_path / "exports"
    (folder / "deeper").mkdir(parents=True)
    for name in ("mix 1.flac", ".hidden", "deeper/mix.flac"):
        (folder / name).write_bytes(b"sound")
    (tmp_path / "secret").write_bytes(b"secret")
    (folder / "link.flac").symlink_to(tmp_path / "secret")
    monkeypatch.setattr(studio.session, "keep", SimpleNamespace(exports=folder))
    return folder


def test_exports_are_saved_and_shown_by_nobody(studio: Studio, exported: Path) -> None:
    found = ask(studio, f"/{studio.token}/exports/mix%201.flac")
    assert (found.status, found.body) == (200, b"sound")
    assert found.headers["content-type"] == "application/octet-stream"
    assert found.headers["content-disposition"].startswith("attachment")
    assert found.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    "name",
    [
        "../secret",
        "..%2fsecret",
        "%2e%2e%2fsecret",
        "%252e%252e%252fsecret",
        "..%5csecret",
        ".hidden",
        "deeper",
        "deeper%2fmix.flac",
        "mix%201.flac%00",
        "link.flac",
        "",
        ".",
    ],
)
def test_no_export_leads_outside(studio: Studio, exported: Path, name: str) -> None:
    found = ask(studio, f"/{studio.token}/exports/{name}")
    assert found.status in (403, 404)
    assert b"secret" not in found.body


def test_an_export_that_goes_while_it_is_asked_for(
    studio: Studio, exported: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Listed, and taken away before it is sent."""
    listed = exported / "gone.flac"
    monkeypatch.setattr(Exports, "_listed", lambda self: [listed])
    assert ask(studio, f"/{studio.token}/exports/gone.flac").status == 404
    assert studio.session.part(Exports).files() == []  # type: ignore[union-attr]


def test_exports_of_a_folder_that_is_gone(studio: Studio, exported: Path) -> None:
    exported.rename(exported.with_name("elsewhere"))
    assert ask(studio, f"/{studio.token}/exports/mix%201.flac").status == 404
    assert studio.session.part(Exports).files() == []  # type: ignore[union-attr]


def _checked(studio: Studio, body: bytes) -> Asked:
    origin = ("Origin", f"http://127.0.0.1:{studio.port}")
    headers = [origin, ("Content-Length", str(len(body)))]
    return ask(studio, f"/{studio.token}/text/check", headers, "POST", body=body)


@pytest.mark.slow
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff\xfe\x00",
        b"\0" * 100,
        b"[" * 50_000,
        b"a: &a [x, x]\n" + b"".join(b"b%d: &b%d [*a, *a]\n" % (i, i) for i in range(100)),
        b"!!python/object/apply:os.system ['true']",
        b"djgraph: 1\nname: '<script>'\n",
        b"x" * 999_999,
        "djgraph: 1\nname: é日本\u202e\n".encode(),
    ],
    ids=lambda body: str(body[:20]),
)
def test_any_text_is_checked_or_refused(studio: Studio, body: bytes) -> None:
    found = _checked(studio, body)
    assert found.status in (200, 400, 413)
    assert isinstance(json.loads(found.body), dict)
    assert b"Traceback" not in found.body


def test_texts_that_are_too_large_are_not_read(studio: Studio) -> None:
    origin = ("Origin", f"http://127.0.0.1:{studio.port}")
    found = ask(studio, f"/{studio.token}/text/check", [origin, ("Content-Length", str(1 << 30))], "POST")
    assert found.status == 413
    assert ask(studio, f"/{studio.token}/text/check", [("Content-Length", "0")], "POST").status == 403


@pytest.mark.parametrize(
    "path", ["drawing/", "drawing/x", "drawing/dark%2f..", "drawing/%3cscript%3e", "proposal"]
)
def test_drawings_and_proposals_that_there_are_not(studio: Studio, path: str) -> None:
    assert ask(studio, f"/{studio.token}/{path}").status == 404
