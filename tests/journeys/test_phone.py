"""Every page, for everybody who may enter it: it fits into any window, and axe finds nothing."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from catalogue.accounts.models import ROLES
from seeds import people
from tests.journeys import axe, steps
from tests.journeys import portal as portals

pytestmark = [pytest.mark.browser, pytest.mark.slow]

Enter = Callable[..., Page]

PHONE = {"width": 390, "height": 844}
# 1280 px at 400 % are 320: what WCAG 1.4.10 asks of a page.
SMALL = {"width": 320, "height": 640}
ZOOMED = {"width": 640, "height": 450}
DESK = {"width": 1280, "height": 900}
FILES = re.compile(r"^/(static|library|documents|api)/|\.(pdf|xlsx|csv|json|xml|txt)\b|/feed\b")
ELDER = "(on) => document.documentElement.classList.toggle('elder', on)"
LOOK = """() => ({
  over: document.documentElement.scrollWidth - window.innerWidth,
  cut: [...document.querySelectorAll('body *:not(.visually-hidden, script)')]
    .filter((one) => one.getBoundingClientRect().right > window.innerWidth + 1)
    // in 长者模式 a wide table may scroll in its own frame
    .filter((one) => !one.closest('.elder .table-frame'))
    .filter((one) => one.checkVisibility({visibilityProperty: true}))
    .slice(0, 3).map((one) => `${one.tagName}.${one.className} ${one.textContent.slice(0, 40)}`),
  links: [...document.querySelectorAll('a[href^="/"]:not([download])')]
    .map((one) => one.getAttribute('href').split('#')[0]),
})"""


def _looked(page: Page, what: str = "") -> tuple[list[str], list[str]]:
    """What of the page lies beside the window, if anything; and where it leads."""
    found: dict[str, Any] = page.evaluate(LOOK)
    links: list[str] = found.pop("links")
    # The sheet clips what hangs over, so nothing may end beyond the edge either.
    whole = found["over"] <= 0 and not found["cut"]
    return ([] if whole else [f"{page.url} at {page.viewport_size} {what}: {found}"]), links


def _fits(page: Page) -> None:
    assert not _looked(page)[0]


def _fits_everywhere(page: Page) -> list[str]:
    """What lies beside the window at every size, in 长者模式 too; leaves the page on a phone."""
    faults: list[str] = []
    page.evaluate(ELDER, True)
    for size in (DESK, PHONE):
        page.set_viewport_size(size)
        faults += _looked(page, "in elder mode")[0]
    page.evaluate(ELDER, False)
    for size in (ZOOMED, SMALL, PHONE):
        page.set_viewport_size(size)
        faults += _looked(page)[0]
    return faults


def _kind(address: str) -> str:
    """Addresses of one page with other numbers and other values are of one kind."""
    path, _, query = address.partition("?")
    path = re.sub(r"/[^/]*\d[^/]*", "/*", path)
    path = re.sub(r"/findings/[^/]+", "/findings/*", path)
    return "?".join([path, *sorted({pair.partition("=")[0] for pair in query.split("&")} - {""})])


def _walk(
    page: Page, starts: list[str], faults: list[str], told: set[str], known: Iterable[str] = ()
) -> set[str]:
    """Every kind of page that links lead to but for the known ones, looked at from all sides.

    axe takes half a second for a page, so it is spared those whose kind it has ``told`` about.
    """
    waiting, seen = list(starts), {*known, *map(_kind, starts)}
    for address in waiting:
        answer = page.goto(address, wait_until="domcontentloaded")
        assert answer is not None and answer.status < 400, f"{address}: {answer}"
        faults += _fits_everywhere(page)
        template = re.sub("/schemes/[^/?]+", "/schemes/*", _kind(address))
        if template not in told:
            told.add(template)
            faults += axe.faults(page)
        for link in _looked(page)[1]:
            if _kind(link) not in seen and not FILES.search(link):
                seen.add(_kind(link))
                waiting.append(link)
    return seen


@pytest.mark.usefixtures("cases")
def test_no_link_fails_and_every_page_fits_and_is_accessible_for_anybody(enter: Enter) -> None:
    faults: list[str] = []
    told: set[str] = set()
    public = _walk(enter(viewport=PHONE), ["/", "/sign-in", "/register"], faults, told)
    told.discard("/")
    clerk = _walk(enter("firm1@demo.test", viewport=PHONE), ["/home", "/"], faults, told, public)
    told.discard("/home")
    _walk(enter("signer1@demo.test", viewport=PHONE), ["/home"], faults, told, clerk)
    for role in set(ROLES) - {"applicant", "signatory"}:
        starts = ["/home", "/", "/schemes"]
        told.discard("/home")
        _walk(enter(people.address(role), viewport=PHONE), starts, faults, told, public)
    assert not faults, "\n".join(faults)
    assert len(public) > 15 and len(clerk - public) > 8


@pytest.mark.usefixtures("cases", "script")
def test_a_phone_leads_from_a_product_over_a_notice_to_ones_own_desk(enter: Enter) -> None:
    page = enter(viewport=PHONE)
    page.goto("/")
    page.get_by_role("searchbox").fill("变压器")
    steps.press(page, "查找")
    page.locator("summary").filter(has_text="筛选").click()
    expect(page.locator(".facet").first).to_be_visible()
    _fits(page)
    steps.reload_until(page, page.locator(".result-name a"))
    page.locator(".result-name a").first.click()
    expect(page.locator("h1")).to_contain_text("变压器")
    _fits(page)
    page.goto("/notices")
    page.locator("main h2 a, main h3 a, main .notice-name a").first.click()
    expect(page.locator("h1")).to_be_visible()
    _fits(page)
    page.locator("summary").filter(has_text="菜单").click()
    _fits(page)
    steps.follow(page, "登录")
    page.locator("#email").fill("firm1@demo.test")
    page.locator("#password").fill(portals.PASSWORD)
    steps.press(page, "登录")
    expect(page).to_have_url(re.compile("/home$"))
    _fits(page)
