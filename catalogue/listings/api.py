"""The open API: how a resource is declared, asked, paged and answered."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from functools import wraps
from typing import Any

from flask import Blueprint, Response, current_app, request, url_for
from itsdangerous import BadData, URLSafeSerializer
from sqlalchemy import Select

from catalogue.accounts.access import public
from catalogue.database import SHANGHAI, db
from catalogue.errors import Unreadable
from catalogue.listings.api_schema import Json
from catalogue.listings.filters import Fault

ROOT = "/api/v1"
PER_PAGE, MAX_PER_PAGE = 50, 100
MAX_CURSOR = 300
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
# Where in the list a page begins; all else is the question, which a cursor belongs to.
_PLACES = ("cursor", "page")


@dataclass(frozen=True)
class Parameter:
    """One part of an address; ``schema`` is its JSON Schema, by which it is also read.

    ``example`` is a value, or finds one that this installation has. ``many`` may be repeated.
    ``read`` is False where the view reads the value itself.
    """

    name: str
    about: str
    schema: Json
    example: Any = None
    place: str = "query"
    many: bool = False
    read: bool = True

    def value_of(self, text: str) -> Any:
        """The value that ``text`` names; raises ValueError with the reason in words."""
        if "enum" in self.schema and text not in self.schema["enum"]:
            raise ValueError(f"只能是 {'、'.join(self.schema['enum'])} 之一")
        if self.schema["type"] == "integer":
            low, high = self.schema["minimum"], self.schema["maximum"]
            if not re.fullmatch(r"[0-9]{1,12}", text) or not low <= int(text) <= high:
                raise ValueError(f"应为 {low} 到 {high} 的整数")
            return int(text)
        if self.schema.get("format") == "date":
            return _day(text)
        if "pattern" in self.schema and re.fullmatch(self.schema["pattern"], text) is None:
            raise ValueError("样子不对，请看接口文档里的例子")
        return text


def _day(text: str) -> date:
    try:
        if _DAY.fullmatch(text):
            return date.fromisoformat(text)
    except ValueError:
        pass
    raise ValueError("应为日期，例如 2026-11-20")


CURSOR = Parameter(
    "cursor",
    "上一页回答里 next 所带的值，原样传回；不必理解，也不能改动",
    {"type": "string", "maxLength": MAX_CURSOR},
    read=False,
)
LIMIT = Parameter(
    "limit",
    f"一页几条，最多 {MAX_PER_PAGE} 条，默认 {PER_PAGE} 条",
    {"type": "integer", "minimum": 1, "maximum": MAX_PER_PAGE},
    20,
)


def key_parameter(name: str, about: str, example: Any) -> Parameter:
    """A row's own number in the path."""
    schema = {"type": "integer", "minimum": 1, "maximum": 10**12 - 1}
    return Parameter(name, about, schema, example, place="path")


@dataclass(frozen=True)
class Operation:
    """One resource: its path with ``{parameters}``, and the named shape of its answer."""

    path: str
    name: str
    summary: str
    answer: str
    parameters: tuple[Parameter, ...]

    @property
    def asked_by(self) -> set[str]:
        """The parameters that may follow the question mark."""
        return {each.name for each in self.parameters if each.place == "query"}


# Filled where the views are declared: the document and its examples can leave none out.
OPERATIONS: list[Operation] = []


@dataclass(frozen=True)
class Asked:
    """What an address asks: its values, and after which place its page begins."""

    operation: Operation
    values: Mapping[str, Any]
    place: Any = None

    def __getitem__(self, name: str) -> Any:
        return self.values.get(name)

    def next_url(self, place: Any) -> str:
        """The address of the page that begins after ``place``."""
        kept: dict[str, Any] = {
            name: values for name, values in request.args.lists() if name not in _PLACES
        }
        cursor = _signer().dumps([self.operation.name, _question(), place])
        return url_for(request.endpoint or "", **(request.view_args or {}), **kept, cursor=cursor)


def _signer() -> URLSafeSerializer:
    return URLSafeSerializer(current_app.config["SECRET_KEY"], salt="api-cursor")


def _question() -> str:
    """The question without its page, so that a cursor serves only the one that it came from."""
    pairs = [pair for pair in request.args.items(multi=True) if pair[0] not in _PLACES]
    asked = [sorted(pairs), sorted((request.view_args or {}).items())]
    return hashlib.sha256(json.dumps(asked).encode()).hexdigest()[:12]


def resource(
    bp: Blueprint, path: str, summary: str, answer: str, *parameters: Parameter
) -> Callable[[Callable[[Asked], Any]], Callable[..., Any]]:
    """Declare a view of the API: its route, its description, and how its answer is sent.

    The view gets what was asked and returns the body as plain JSON values, or a Response.
    """

    def declare(view: Callable[[Asked], Any]) -> Callable[..., Any]:
        operation = Operation(path, view.__name__, summary, answer, parameters)
        OPERATIONS.append(operation)

        @bp.get(ROOT + path.replace("{", "<").replace("}", ">"), endpoint=view.__name__)
        @public
        @wraps(view)
        def answered(**given: str) -> Any:
            body = view(_read(operation, given))
            return body if isinstance(body, Response) else as_response(body)

        return answered

    return declare


def _read(operation: Operation, given: Mapping[str, str]) -> Asked:
    faults = [
        Fault(name[:40], "", "没有这个参数")
        for name in request.args
        if name not in operation.asked_by
    ]
    values: dict[str, Any] = {}
    for parameter in operation.parameters:
        in_path = parameter.place == "path"
        texts = [given[parameter.name]] if in_path else request.args.getlist(parameter.name)
        if not texts or not parameter.read:
            continue
        try:
            if len(texts) > 1:
                raise ValueError("只能给一次")
            values[parameter.name] = parameter.value_of(texts[0])
        except ValueError as error:
            faults.append(Fault(parameter.name, texts[-1][:40], str(error)))
    place = None
    if "cursor" in operation.asked_by and "cursor" in request.args:
        try:
            place = _place(operation, request.args.getlist("cursor"))
        except ValueError as error:
            faults.append(Fault("cursor", "", str(error)))
    if faults:
        raise unreadable(faults)
    return Asked(operation, values, place)


def unreadable(faults: Sequence[Fault]) -> Unreadable:
    """The refusal that names every parameter at fault."""
    return Unreadable([asdict(fault) for fault in faults])


def _place(operation: Operation, texts: Sequence[str]) -> Any:
    if len(texts) != 1 or len(texts[0]) > MAX_CURSOR:
        raise ValueError("只能给一次，并原样传回")
    try:
        name, question, place = _signer().loads(texts[0])
    except (BadData, ValueError, TypeError) as error:
        raise ValueError("不是本接口给出的值，请从第一页重新读") from error
    if (name, question) != (operation.name, _question()):
        raise ValueError("这个值属于另一个查询，请从第一页重新读")
    return place


def paged(
    asked: Asked, statement: Select[Any], key: Any, as_item: Callable[..., Json]
) -> tuple[list[Json], str | None]:
    """One page of a statement, the greatest ``key`` (a unique column) first, and the next address.

    The place of a page is a key, not a count: rows that come or go meanwhile neither repeat nor
    hide another.
    """
    limit = asked["limit"] or PER_PAGE
    if asked.place is not None:
        statement = statement.where(key < asked.place)
    rows = db.session.execute(statement.order_by(key.desc()).limit(limit + 1)).unique().all()
    shown = rows[:limit]
    more = asked.next_url(getattr(shown[-1][0], key.key)) if len(rows) > limit else None
    return [as_item(*row) for row in shown], more


def listed(
    asked: Asked, statement: Select[Any], key: Any, as_item: Callable[..., Json]
) -> Response:
    """The answer of a list: one page as ``items``, and the address of the next as ``next``."""
    items, more = paged(asked, statement, key, as_item)
    return linked(as_response({"items": items, "next": more}), more)


def linked(response: Response, more: str | None) -> Response:
    """The same response, whose Link header names the page that follows."""
    if more:
        response.headers["Link"] = f'<{more}>; rel="next"'
    return response


def as_response(body: Any) -> Response:
    """The body as JSON with its ETag; 304 without a body for who has it already."""
    return sent(dumped(body))


def sent(data: bytes) -> Response:
    """The same for a body that is JSON already."""
    response = Response(data, mimetype="application/json")
    response.set_etag(hashlib.sha256(response.get_data()).hexdigest()[:32])
    # To be kept by anyone and asked for anew each time: a revocation must show at once.
    response.headers["Cache-Control"] = "no-cache"
    response.make_conditional(request)
    return response


def dumped(body: Any) -> bytes:
    """JSON as every part of the open data writes it: UTF-8, no spaces, the order as given."""
    return json.dumps(body, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


def path_of(endpoint: str, **values: Any) -> str:
    """The path of a page on this site; a worker, who has no request, gets the same."""
    return current_app.url_map.bind("localhost").build(endpoint, values)


def moment_text(at: datetime | None) -> str | None:
    """A moment as ISO 8601 with Shanghai's offset, to the second."""
    return at.astimezone(SHANGHAI).isoformat(timespec="seconds") if at else None


def day_text(day: date | None) -> str | None:
    """A day as ISO 8601."""
    return day.isoformat() if day else None
