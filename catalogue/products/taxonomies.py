"""The names of domains, novelty tiers and advancement tiers, out of seeds/taxonomies.yaml."""

from __future__ import annotations

from functools import cache

from catalogue.enterprises.taxonomies import names, taxonomy


@cache
def domains() -> dict[str, str]:
    """Id → name of every domain, the general ones first."""
    return {item["id"]: item["name"] for group in taxonomy("domains") for item in group["items"]}


def novelties() -> dict[str, str]:
    """Id → name of the novelty tiers, highest first."""
    return names("novelty")


def advancements() -> dict[str, str]:
    """Id → name of the advancement tiers, highest first."""
    return names("advancement")


def domain_name(domain_id: str) -> str:
    """The name of a domain; an unknown id is shown as it is."""
    return domains().get(domain_id, domain_id)


def novelty_name(novelty_id: str) -> str:
    """The name of a novelty tier; an unknown id is shown as it is."""
    return novelties().get(novelty_id, novelty_id)


def advancement_name(advancement_id: str | None) -> str:
    """The name of an advancement tier; an unknown id is shown as it is, None as nothing."""
    return advancements().get(advancement_id, advancement_id) if advancement_id else ""


@cache
def domain_choices() -> list[tuple[str, str]]:
    """Options of a select: id and name, a special domain after the name of its parent."""
    top = domains()
    return [
        (item["id"], f"{top[group['parent']]}：{item['name']}" if group["parent"] else item["name"])
        for group in taxonomy("domains")
        for item in group["items"]
    ]


def novelty_choices() -> list[tuple[str, str]]:
    """Options of a select: id and name."""
    return list(novelties().items())


def advancement_choices() -> list[tuple[str, str]]:
    """Options of a select: id and name."""
    return list(advancements().items())
