"""What axe-core says against a page, by the success criteria of WCAG 2.2 A and AA."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Any

from playwright.sync_api import Page

TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
RUN = """(tags) => axe.run(document, {
  runOnly: {type: 'tag', values: tags}, resultTypes: ['violations'], elementRef: false,
  preload: false,
}).then(({violations}) => violations.map((one) => ({
  rule: one.id, help: one.help, count: one.nodes.length,
  nodes: one.nodes.slice(0, 3).map(({html, any, all, none}) =>
    `${html.slice(0, 160)} — ${[...any, ...all, ...none].map((why) => why.message).join('; ')}`),
})))"""


@cache
def _source() -> str:
    return (files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8")


def faults(page: Page) -> list[str]:
    """Every rule that the page breaks, each with the first elements that break it."""
    # Evaluated, not loaded: the page's content security policy stays as its visitors have it.
    page.evaluate(_source())
    found: list[dict[str, Any]] = page.evaluate(RUN, TAGS)
    return [
        f"{page.url} at {page.viewport_size}: {one['rule']} ×{one['count']} ({one['help']})\n    "
        + "\n    ".join(one["nodes"])
        for one in found
    ]
