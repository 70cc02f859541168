"""The OpenAPI 3.1 document, made of what the views declare."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from catalogue.listings.api import OPERATIONS, ROOT, Operation, Parameter
from catalogue.listings.api_schema import SCHEMAS, Json, named, record, ref, several, text, whole

PROBLEM = named(
    "Problem",
    record(
        "出错时的回答（RFC 9457）",
        {
            "type": text("错误的种类；about:blank 表示由 status 说明"),
            "title": text("错误的名称"),
            "status": whole("HTTP 状态码"),
            "detail": text("这一次的原因"),
            "instance": text("出错的地址"),
            "request_id": text("联系平台时请报这个编号"),
            "parameters": several(
                "读不懂的参数，逐个列出",
                record(
                    "一个参数",
                    {
                        "parameter": text("参数名"),
                        "value": text("读到的值，至多 40 字"),
                        "reason": text("为什么读不懂"),
                    },
                ),
            ),
        },
        without=("parameters",),
    ),
)
EXAMPLE_PROBLEM = {
    "type": "about:blank",
    "title": "参数有误",
    "status": 400,
    "detail": "有 1 个参数读不懂，见 parameters",
    "instance": f"{ROOT}/listings",
    "request_id": "3f1c2b7a9d04e6f8",
    "parameters": [{"parameter": "sort", "value": "price", "reason": "没有这种排序"}],
}


@dataclass(frozen=True)
class About:
    """What the document says of itself."""

    title: str
    version: str
    description: str
    server: str
    licence: Json = field(default_factory=dict)


Examples = tuple[tuple[str, str, Any], ...]


def examples() -> Examples:
    """What this installation has now for each parameter whose example is looked up.

    Operation, parameter, value; all else of the document stays as it is while a process lives.
    """
    return tuple(
        (operation.name, each.name, each.example())
        for operation in OPERATIONS
        for each in operation.parameters
        if callable(each.example)
    )


def document(about: About, found: Examples) -> Json:
    """The OpenAPI document of every declared resource, with the ``examples`` that were found."""
    values = {(operation, parameter): value for operation, parameter, value in found}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": about.title,
            "version": about.version,
            "description": about.description,
            "license": about.licence,
        },
        "servers": [{"url": about.server}],
        "paths": {ROOT + each.path: {"get": _described(each, values)} for each in OPERATIONS},
        "components": {
            "schemas": SCHEMAS,
            "headers": {
                "ETag": {
                    "description": "本回答的标识；下次用 If-None-Match 传回，没有变化时答 304",
                    "schema": {"type": "string"},
                },
                "Retry-After": {
                    "description": "过多少秒再来",
                    "schema": {"type": "integer"},
                },
            },
            "responses": {
                "Unchanged": {"description": "没有变化"},
                "Unreadable": _problem("参数有误", EXAMPLE_PROBLEM),
                "Missing": _problem("没有这一件"),
                "TooMany": {
                    **_problem("太频繁"),
                    "headers": {"Retry-After": {"$ref": "#/components/headers/Retry-After"}},
                },
            },
        },
    }


def _problem(about: str, example: Json | None = None) -> Json:
    content = {"schema": ref(PROBLEM), **({"example": example} if example else {})}
    return {"description": about, "content": {"application/problem+json": content}}


def _described(operation: Operation, values: Mapping[tuple[str, str], Any]) -> Json:
    def shared(name: str) -> Json:
        return {"$ref": f"#/components/responses/{name}"}

    answers = {
        "200": {
            "description": "查到",
            "headers": {"ETag": {"$ref": "#/components/headers/ETag"}},
            "content": {"application/json": {"schema": ref(operation.answer)}},
        },
        "304": shared("Unchanged"),
        "400": shared("Unreadable"),
        "404": shared("Missing"),
        "429": shared("TooMany"),
    }
    return {
        "operationId": operation.name,
        "summary": operation.summary,
        "parameters": [
            _parameter(each, values.get((operation.name, each.name), each.example))
            for each in operation.parameters
        ],
        "responses": answers,
    }


def _parameter(parameter: Parameter, example: Any) -> Json:
    many = parameter.many
    described: Json = {
        "name": parameter.name,
        "in": parameter.place,
        "required": parameter.place == "path",
        "description": parameter.about,
        "schema": {"type": "array", "items": parameter.schema} if many else parameter.schema,
    }
    if example is not None:
        described["example"] = [example] if many else example
    return described
