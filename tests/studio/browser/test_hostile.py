"""Texts of graphs and messages are texts: none becomes part of the page."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from .desk import Desk

pytestmark = pytest.mark.slow
EVIL = (
    "</script><script>globalThis.broken=1</script><img src=x onerror='globalThis.broken=1'>"
    "\"'`{broken=1}&amp;\u202e\u2028é日本🎛"
)
HOSTILE: dict[str, Any] = {
    "djgraph": 1,
    "name": "hostile",
    "title": EVIL,
    "description": EVIL,
    "inputs": [{"name": "deck"}],
    "mixer": [
        {"strip": "one", "input": "deck", "chain": ["eq3", {"effect": "gain", "id": "fader"}], "to": "out"},
        {
            "macro": "constructor",
            "label": EVIL,
            "description": EVIL,
            "drives": {"one.fader.gain": [[0, 0], [1, 1]]},
        },
        {"bus": "out"},
    ],
    "outputs": ["out"],
}


def test_no_text_of_a_graph_is_markup(opened: Callable[..., Desk]) -> None:
    desk = opened(HOSTILE, seconds=0.5)
    page = desk.page
    for view in page.evaluate("[...document.querySelectorAll('[role=tab]')].map(tab => tab.id.slice(4))"):
        page.locator(f"#tab-{view}").click()
        page.locator(f"#panel-{view} > *").first.wait_for()
    page.locator("#tab-console").click()
    page.locator("input.filter").fill(EVIL)
    page.locator("input.filter").fill("")
    field = page.locator("input.value").first
    field.fill(EVIL)
    field.press("Enter")
    for event in (
        {"event": "refused", "id": 0, "message": EVIL},
        {"event": EVIL, "control": EVIL},
        {"event": "held", "control": EVIL, "value": 1},
        {"event": "held", "control": "__proto__", "value": 1},
        {"event": "released", "controls": ["__proto__", EVIL], "values": {}},
    ):
        desk.session.tell(event)
    desk.until(lambda: EVIL[:40] in (page.get_by_role("status").first.text_content() or ""), "it is not said")
    assert page.evaluate("() => globalThis.broken ?? null") is None
    assert page.evaluate("() => ({}).broken ?? null") is None
    assert page.locator("img[src=x]").count() == 0
    assert page.locator("script").count() == 1
    assert page.evaluate("() => djgraphTest.violations") == []
    assert page.title().startswith(EVIL[:20])


def test_the_policy_stops_what_comes_in_all_the_same(desk: Desk) -> None:
    """Even a page that made markup of a text would not run it, and would reach nobody."""
    page = desk.page
    stopped = page.evaluate(
        """async text => {
          const found = [];
          try { document.createElement("div").innerHTML = text; found.push("markup"); } catch { /* as it should be */ }
          const script = document.createElement("script");
          try { script.text = "globalThis.broken = 1"; document.body.append(script); } catch { /* as it should be */ }
          if (globalThis.broken) found.push("script");
          try { await fetch("http://127.0.0.1:9/"); found.push("fetch"); } catch { /* as it should be */ }
          const image = new Image();
          await new Promise(done => { image.onload = image.onerror = done; image.src = "http://127.0.0.1:9/x.png"; });
          return [found, djgraphTest.violations.map(one => one.split(":")[0])];
        }""",
        "<b onclick='broken=1'>x</b>",
    )
    assert stopped[0] == []
    assert {"connect-src", "img-src"} <= set(stopped[1])
    desk.faults.clear()


def test_no_page_is_framed_and_none_of_another_host_gets_in(desk: Desk) -> None:
    from studio.served import Studio

    other = Studio("dj_mixer", seconds=0.1)
    try:
        page = desk.page
        found = page.evaluate(
            """async url => {
              const frame = document.createElement("iframe");
              frame.src = url;
              document.body.append(frame);
              await new Promise(done => { frame.onload = done; setTimeout(done, 3000); });
              let seen = null;
              try { seen = frame.contentDocument?.body?.childElementCount ?? null; } catch { /* another origin */ }
              const reached = await fetch(url + "state").then(() => true, () => false);
              const socket = await new Promise(done => {
                try {
                  const one = new WebSocket(url.replace("http", "ws") + "wire");
                  one.onopen = () => done(true);
                  one.onerror = () => done(false);
                } catch { done(false); }
              });
              return [seen, reached, socket];
            }""",
            other.url,
        )
        assert found[0] in (None, 0)
        assert found[1:] == [False, False]
        desk.faults.clear()
    finally:
        other.close()
