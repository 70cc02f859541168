"""What a page asks of a line and of a hand: few bytes, and a keyboard alone."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, Request, expect

from seeds import people
from tests.journeys import portal as portals
from tests.journeys import steps

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
    # Whoever chose colours of their own must see the focus too.
    reviewer = enter(people.address("reviewer"), forced_colors="active")
    for address in ("/home", f"/reviews/{waiting}"):
        faults += _tabbed(reviewer, address)
    faults += _tabbed(enter(people.address("finance")), "/funds/lists")
    faults += _tabbed(enter(people.address("administrator")), "/policies/desk/drafts/new")
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
    page.keyboard.press("Escape")
    expect(page.locator(".nav-list a").first).to_be_hidden()
    expect(page.locator("summary").filter(has_text="菜单")).to_be_focused()


def test_what_is_wrong_with_a_form_is_read_first_and_leads_to_its_field(
    enter: Enter, script: bool
) -> None:
    page = enter()
    page.goto("/register")
    page.locator("#email").fill("someone@journey.test")
    steps.press(page, "登记并登录")
    expect(page.locator("#errors")).to_be_focused()
    expect(page.locator("#email")).to_have_value("someone@journey.test")
    first = page.locator("#errors a").first
    page.keyboard.press("Tab")
    expect(first).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator(first.get_attribute("href") or "")).to_be_focused()


def test_large_letters_are_switched_on_and_off_from_every_layout(
    enter: Enter, script: bool
) -> None:
    for email, address in (
        (None, "/catalogue?q=12"),
        ("firm1@demo.test", "/applications"),
        (people.address("finance"), "/funds"),
    ):
        page = enter(email)
        page.goto(address)
        before = page.locator("main p, main a").first.evaluate(
            "element => parseFloat(getComputedStyle(element).fontSize)"
        )
        for switch, elder in (("长者模式", True), ("退出长者模式", False)):
            steps.follow(page, switch)
            steps.press(page, "打开长者模式" if elder else "退出长者模式")
            expect(page).to_have_url(re.compile(re.escape(address) + "$"))
            size = page.locator("main p, main a").first.evaluate(
                "element => parseFloat(getComputedStyle(element).fontSize)"
            )
            assert (size >= 1.3 * before) if elder else (size == before), (address, size)
