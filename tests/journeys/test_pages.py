"""What a page asks of a line and of a hand: few bytes, and a keyboard alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, Request, expect

from seeds import people
from tests.journeys import portal as portals

pytestmark = [pytest.mark.browser, pytest.mark.slow]

Enter = Callable[..., Page]

# Issue 4, "Pages everywhere": the first load of the catalogue, heads and all.
FIRST_LOAD_BYTES = 110_000
# What the keyboard has to reach, in the order of the document; of a group of radios only one.
LISTEN = """() => {
  const one = (radio) => radio.checked || (
    !document.querySelector(`input[name="${radio.name}"]:checked`)
    && document.querySelector(`input[name="${radio.name}"]`) === radio);
  window.stops = [...document.querySelectorAll(
    'a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex="0"]')]
    .filter((stop) => !stop.disabled && stop.checkVisibility({visibilityProperty: true}))
    .filter((stop) => stop.type !== 'radio' || one(stop));
  window.walked = [];
  document.addEventListener('focusin', ({target}) => {
    if (window.walked.at(-1)?.target === target) return;
    const look = getComputedStyle(target), box = target.getBoundingClientRect();
    const bar = document.querySelector('.bar')?.getBoundingClientRect();
    window.walked.push({
      target,
      place: window.stops.indexOf(target),
      marked: look.outlineStyle !== 'none' && parseFloat(look.outlineWidth) >= 2,
      shown: box.width > 0 && box.bottom > 0 && box.top < window.innerHeight,
      covered: !!bar && !target.closest('.bar')
        && box.top >= bar.top && box.bottom <= bar.bottom,
    });
  });
  // a date field is several stops for the key, and one for the document
  return window.stops.length + 4 * document.querySelectorAll('input[type=date]').length;
}"""
WALKED = """() => ({
  stops: window.stops.length,
  missed: window.stops.filter((_, place) => !window.walked.some((step) => step.place === place))
    .map((stop) => stop.outerHTML.slice(0, 120)),
  jumps: window.walked.filter((step, at, all) => at && step.place >= 0
    && step.place < Math.max(...all.slice(0, at).map((earlier) => earlier.place)))
    .map((step) => step.target.outerHTML.slice(0, 120)),
  unseen: window.walked.filter((step) => !step.marked || !step.shown || step.covered)
    .map((step) => `${step.marked} ${step.shown} ${step.covered} `
      + step.target.outerHTML.slice(0, 120)),
})"""


@pytest.mark.usefixtures("cases")
def test_the_first_load_of_the_catalogue_is_small(enter: Enter) -> None:
    page = enter()
    asked: list[Request] = []
    page.on("requestfinished", lambda one: asked.append(one))  # noqa: PLW0108 - a bound built-in is refused
    page.goto("/catalogue", wait_until="networkidle")
    expect(page.locator(".result-name a").first).to_be_visible()
    sizes = {
        one.url: sum(one.sizes()[part] for part in ("responseBodySize", "responseHeadersSize"))
        for one in asked
    }
    assert len(sizes) > 5 and sum(sizes.values()) <= FIRST_LOAD_BYTES, sizes


def _tabbed(page: Page, address: str) -> list[str]:
    """What goes wrong on the way from the first to the last stop of a page."""
    page.goto(address, wait_until="networkidle")  # htmx may bring a part of it
    for _ in range(page.evaluate(LISTEN)):
        page.keyboard.press("Tab")
    found: dict[str, Any] = page.evaluate(WALKED)
    assert found.pop("stops") > 3, address
    return [f"{address} {what}: {of}" for what, these in found.items() for of in these]


@pytest.mark.usefixtures("cases")
def test_a_keyboard_reaches_everything_in_order_and_is_seen(
    enter: Enter, portal: portals.Portal
) -> None:
    with portal.rooms():
        draft = portals.draft("first_version", 0, "software", 46)
        waiting = portals.submitted(portals.draft("first_set", 0, "equipment", 45)).number
    faults: list[str] = []
    anybody = enter()
    for address in ("/", "/catalogue", "/schemes/catalogue", "/notices", "/certificates"):
        faults += _tabbed(anybody, address)
    anybody.goto("/catalogue")
    faults += _tabbed(anybody, anybody.locator(".result-name a").first.get_attribute("href") or "")
    firm = enter("firm1@demo.test")
    for address in ("/home", f"/applications/{draft}", f"/applications/{draft}/check"):
        faults += _tabbed(firm, address)
    reviewer = enter(people.address("reviewer"))
    for address in ("/home", f"/reviews/{waiting}"):
        faults += _tabbed(reviewer, address)
    assert not faults, "\n".join(faults)


def test_keys_skip_the_head_and_open_the_menu(enter: Enter) -> None:
    page = enter(viewport={"width": 390, "height": 844})
    page.goto("/")
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()
    page.locator("summary").filter(has_text="菜单").focus()
    page.keyboard.press("Enter")
    expect(page.locator(".nav-list a").first).to_be_visible()
    page.keyboard.press("Tab")
    expect(page.locator(".nav-list a").first).to_be_focused()
