"""References of the languages and of the API: nothing is missing."""

from __future__ import annotations

import importlib
import re

import pytest

import djgraph
from djgraph.language.fields import Element
from sitebuild import api, references
from sitebuild.prose import markdown
from sitebuild.sections import sections
from sitebuild.site import ROOT


@pytest.mark.parametrize("language", references.LANGUAGES, ids=lambda language: language.uri)
def test_every_key_of_every_element_is_there(language: references.Language) -> None:
    page = references.page(language)
    written = {section.title: section.body for section in sections(page)}
    for model in references._elements(Element):
        if not model.__module__.startswith(language.package) or model.__subclasses__():
            continue
        body = written[references.heading(model.__name__)]
        for name, field in model.model_fields.items():
            (row,) = re.findall(rf"^\| `{field.alias or name}` \| .*\|$", body, re.MULTILINE)
            assert (
                field.description in row.replace("\\|", "|").replace("`", "``").replace("````", "``")
                or "`" in row
            )
            assert ("| required |" in row) == field.is_required()
    first = page[page.index("\n| `") :].splitlines()[1]
    assert first.count("`1`") == 1, "a file begins with its version"
    anchors = {section.anchor for section in sections(page)}
    assert set(re.findall(r"\]\(#([\w-]+)\)", page)) <= anchors
    prose = (ROOT / "docs" / language.page).read_text(encoding="utf-8")
    assert set(re.findall(rf"{language.page}#([\w-]+)", page)) <= {
        section.anchor for section in sections(prose)
    }


def test_values_in_words() -> None:
    page = references.page(references.LANGUAGES[0])
    assert "| `djgraph` | `1` | required |" in page
    assert "| `sample_rate` | whole number 1 … 1 000 000 | 44 100 |" in page.replace("\u00a0", " ")
    assert "[node](#node)" in page


def test_every_room_with_public_names_has_a_page_or_a_reason() -> None:
    rooms = {
        path.parent.name for path in (ROOT / "djgraph").glob("*/__init__.py") if "__all__" in path.read_text()
    }
    assert {f"djgraph.{room}" for room in rooms} <= set(api.modules()) | set(api.INTERNAL)
    assert not set(api.modules()) & set(api.INTERNAL)


def test_every_public_name_is_on_a_page() -> None:
    for name in api.modules():
        page = api.page(name)
        module = importlib.import_module(name)
        for public in getattr(module, "__all__", ()):
            if public.startswith("__") or api.inspect.ismodule(getattr(module, public)):
                continue
            path = api.path_of(name, public)
            assert f"::: {path}\n" in page or f"[`{public}`][{path}]" in page, f"{name}.{public}"
            if f"[`{public}`][{path}]" in page:
                assert f"::: {path}\n" in api.page(str(api.owner(path, public))), "it leads somewhere"
    assert set(djgraph._MODULES) <= {name.removeprefix("djgraph.") for name in api.modules()}


@pytest.mark.slow
def test_what_is_public_says_what_it_is() -> None:
    """Functions and classes, that is; constants have their docstring below them, which only sources show."""
    silent = []
    for name in api.modules():
        module = importlib.import_module(name)
        for public in api.names(module):
            value = getattr(module, public)
            if (
                callable(value)
                and getattr(value, "__module__", "").startswith("djgraph")
                and not value.__doc__
            ):
                silent.append(f"{name}.{public}")
    assert silent == []


def test_docstrings_become_markdown() -> None:
    text = "As :func:`djgraph.load` says::\n\n    a = b\n\nrate, n: in Hz,\nnot ms.\nx: more.\nRaises InputError."
    assert markdown(text, {"rate", "n", "x"}) == (
        "As `djgraph.load` says:\n\n    a = b\n\n- `rate`, `n`: in Hz,\n  not ms.\n- `x`: more.\n\nRaises InputError."
    )
    assert markdown("note: this is prose") == "note: this is prose"
    assert markdown("a: one. b: two.\nReturns c.", {"a", "b"}) == "- `a`: one.\n- `b`: two.\n\nReturns c."
    assert markdown(">>> 1\n1") == "```python\n>>> 1\n1\n```"


def test_signatures_have_the_public_names() -> None:
    (made,) = re.findall(r"::: (djgraph\.mixer\..*)", api.page("djgraph"))[:1]
    called = made.rpartition(".")[2]
    assert api.as_called("djgraph", f'<span class="nf">{called}</span>') == '<span class="nf">compile</span>'
    assert api.as_called("djgraph", f"<p>{called}</p>") == f"<p>{called}</p>"
