"""Mail: a letter handed to the server that MAIL_URL names, or kept as a file in a demonstration."""

from __future__ import annotations

import smtplib
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.utils import format_datetime
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

from catalogue.database import utc_now

SCHEMES = ("smtp", "smtps", "file")
SECONDS = 15


class NotSent(RuntimeError):
    """The letter was certainly not taken over by anybody; it may be tried again."""


@dataclass(frozen=True)
class Letter:
    """One mail in plain text; ``id`` is the same for the same letter, however often it is tried."""

    id: str
    to: str
    subject: str
    text: str
    headers: Mapping[str, str] = field(default_factory=dict)


def send(url: str, letter: Letter, host: str) -> None:
    """Hand ``letter`` over, from no-reply at ``host`` unless the URL says ``?from=``.

    Raises NotSent when it was refused before it was taken; any other error leaves that open.
    """
    parts = urlsplit(url)
    sender = parse_qs(parts.query).get("from", [f"no-reply@{host}"])[0]
    message = _message(letter, sender, host)
    if parts.scheme == "file":
        _keep(Path(unquote(parts.path)), letter, message)
        return
    if parts.scheme not in SCHEMES:
        raise NotSent("MAIL_URL is not set")
    try:
        server = _server(parts.scheme, parts.hostname or "", parts.port)
    except (OSError, smtplib.SMTPException) as error:
        raise NotSent(f"the mail server does not answer ({type(error).__name__})") from error
    with server:
        try:
            if parts.username:
                server.login(unquote(parts.username), unquote(parts.password or ""))
            server.send_message(message)
        except smtplib.SMTPResponseException as error:
            raise NotSent(f"the mail server refused ({error.smtp_code})") from error
        except smtplib.SMTPRecipientsRefused as error:
            raise NotSent("the mail server refused the address") from error


def _server(scheme: str, host: str, port: int | None) -> smtplib.SMTP:
    context = ssl.create_default_context()
    if scheme == "smtps":
        return smtplib.SMTP_SSL(host, port or 465, timeout=SECONDS, context=context)
    server = smtplib.SMTP(host, port or 587, timeout=SECONDS)
    server.ehlo()
    if server.has_extn("starttls"):
        server.starttls(context=context)
    return server


def _message(letter: Letter, sender: str, host: str) -> EmailMessage:
    message = EmailMessage()
    message["From"] = sender
    message["To"] = letter.to
    message["Subject"] = letter.subject
    message["Date"] = format_datetime(utc_now())
    message["Message-ID"] = f"<{letter.id}@{host}>"
    message["Auto-Submitted"] = "auto-generated"
    for name, value in letter.headers.items():
        message[name] = value
    message.set_content(letter.text)
    return message


def _keep(folder: Path, letter: Letter, message: EmailMessage) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        draft = folder / f".{letter.id}"
        draft.write_bytes(message.as_bytes())
        draft.replace(folder / f"{letter.id}.eml")
    except OSError as error:
        raise NotSent(f"the folder of mails takes nothing ({type(error).__name__})") from error
