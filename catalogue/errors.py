"""Refusals with a reason for the person, and the pages that show them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

import structlog
from flask import Flask, Response, g, render_template, request
from sqlalchemy.exc import OperationalError
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from catalogue.keys import KeyUnusable

log = structlog.get_logger(__name__)


class Refused(Exception):
    """A verb said no.

    ``reason`` is a Chinese sentence for the reader; ``field`` names the form field at fault, if
    one is; ``status`` is the HTTP status when nobody handles the refusal.
    """

    def __init__(self, reason: str, field: str | None = None, status: int = 409) -> None:
        super().__init__(reason)
        self.reason = reason
        self.field = field
        self.status = status


class Unreadable(Refused):
    """An address of the open API has ``parameters`` that cannot be read: name, value, reason."""

    def __init__(self, parameters: Sequence[Mapping[str, str]]) -> None:
        reason = f"有 {len(parameters)} 个参数读不懂，见 parameters"
        super().__init__(reason, status=HTTPStatus.BAD_REQUEST)
        self.parameters = [dict(each) for each in parameters]


PAGES = {
    400: ("这个请求不完整", "请返回上一页，刷新后重新填写；已经填的内容仍在浏览器里。"),
    401: ("请先登录", "登录后会回到您要看的页面。"),
    403: ("这一页不在您的权限内", "请用有权限的账号登录，或请本单位有权限的同事办理。"),
    404: ("没有找到这一页", "地址可能有误，内容可能已移走，或不对您公开。"),
    405: ("这个地址不能这样打开", "请从页面上的按钮或链接进入。"),
    409: ("现在不能这样做", "这件事的状态已经变了，请刷新后再看。"),
    413: ("文件太大", "单个文件不超过 20 MB。请压缩或拆分后再传。"),
    422: ("填写的内容有误", "请按提示更正后再试。"),
    429: ("请求太频繁", "请稍等片刻再试。"),
    500: ("系统出了差错", "差错已经记录。已提交并收到回执的内容不会丢失，请稍后再试。"),
    503: ("暂时无法办理", "系统正在恢复。已收到回执的内容不会丢失，请稍后再试。"),
}


# The same for programs, where a page's advice would help nobody.
PROBLEMS = {
    400: ("参数有误", "请求读不懂"),
    404: ("没有这一件", "没有这个地址，或没有这一件，或它不对外公开"),
    405: ("只能读", "接口只接受 GET、HEAD 和 OPTIONS"),
    429: ("太频繁", "超过了每分钟的次数，请按 Retry-After 等候"),
}


def _answer(status: int, reason: str | None = None, parameters: Any = None) -> Any:
    if request.path.startswith("/api/"):
        return _problem(status, reason, parameters), status
    title, advice = PAGES.get(status, PAGES[500])
    explanation = reason or advice
    # An error page asks the database nothing: it must come while the database is away.
    g.without_database = True
    page = render_template(
        "errors/page.html",
        code=status,
        title=title,
        explanation=explanation,
        advice=advice if reason else None,
        request_id=g.get("request_id"),
    )
    return page, status


def _problem(status: int, reason: str | None, parameters: Any) -> Response:
    """The error as RFC 9457 wants it."""
    title, detail = PROBLEMS.get(status) or PAGES.get(status, PAGES[500])
    body = {
        "type": "about:blank",
        "title": title,
        "status": status,
        "detail": reason or detail,
        "instance": request.path,
        "request_id": g.get("request_id", "-"),
        **({"parameters": parameters} if parameters else {}),
    }
    text = json.dumps(body, ensure_ascii=False)
    return Response(text, mimetype="application/problem+json")


def register(app: Flask) -> None:
    """Give every error a page in words, and nothing of our insides."""

    @app.errorhandler(Refused)
    def refused(error: Refused) -> Any:
        return _answer(error.status, error.reason, getattr(error, "parameters", None))

    @app.errorhandler(HTTPException)
    def http(error: HTTPException) -> Any:
        status = error.code or HTTPStatus.INTERNAL_SERVER_ERROR
        if 300 <= status < 400:
            return error
        reason = getattr(error, "reason_for_person", None)
        answer = _answer(status, reason)
        if status == HTTPStatus.TOO_MANY_REQUESTS:
            return (*answer, {"Retry-After": "60"})
        if isinstance(error, MethodNotAllowed) and error.valid_methods:
            return (*answer, {"Allow": ", ".join(sorted(error.valid_methods))})
        return answer

    @app.errorhandler(OperationalError)
    def database_away(error: OperationalError) -> Any:
        log.error("database_unavailable", error=type(error.orig).__name__)
        return (*_answer(HTTPStatus.SERVICE_UNAVAILABLE), {"Retry-After": "10"})

    @app.errorhandler(KeyUnusable)
    def signer_away(error: KeyUnusable) -> Any:
        log.error("signing_key_unusable", error=str(error))
        return (*_answer(HTTPStatus.SERVICE_UNAVAILABLE), {"Retry-After": "60"})

    @app.errorhandler(Exception)
    def unexpected(error: Exception) -> Any:
        log.error("unexpected_error", path=request.path, exc_info=error)
        return _answer(HTTPStatus.INTERNAL_SERVER_ERROR)
