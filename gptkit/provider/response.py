"""What every response is held against, whichever road it came: status, encoding, size, and what it is."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from urllib.parse import urljoin, urlsplit

from gptkit.core.errors import ProtocolError
from gptkit.core.sanitize import one_line
from gptkit.provider import stream
from gptkit.provider.exchange import Answer, Exchange, StatusError


def content(answer: Answer, exchange: Exchange) -> tuple[stream.Kind, Iterator[bytes]]:
    """The body of a good answer, decoded and within its caps; raises StatusError or ProtocolError."""
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in answer.headers}
    exchange.answered(headers)
    if answer.status >= 400:
        raise StatusError(answer.status, _error_body(answer, headers, exchange), headers)
    if answer.status // 100 == 3:
        raise _redirect(answer.status, headers.get("location", ""), exchange)
    if answer.status < 200 or answer.status in (204, 205, 206):
        raise ProtocolError(f"not an API answer (status {answer.status})", tries=2)
    limit = stream.FILE_LIMIT if exchange.file else stream.RESPONSE_LIMIT
    plain = stream.limited(stream.decoded(answer.body, headers.get("content-encoding", ""), exchange), limit)
    kind, found = stream.recognised(plain, headers.get("content-type", ""))
    if kind == "empty" and not exchange.file:
        raise ProtocolError("empty answer", tries=2)
    return kind, found


def data(kind: stream.Kind, found: Iterator[bytes], exchange: Exchange) -> Iterator[list[bytes]]:
    """The JSON texts of a chat answer, those that arrived together in one list: a whole answer is one."""
    if kind == "json":
        yield [b"".join(found)]
        exchange.done = True
        return
    yield from stream.data(found, exchange)
    while not exchange.sealed and next(found, None) is not None:
        pass  # nothing but its checksum tells a bent compressed answer from a whole one, and that comes last


def values(answer: Answer, exchange: Exchange) -> Iterator[object]:
    """The JSON values of a chat answer, as they arrive; raises what `reported` makes of a failure in it."""
    decode = json.JSONDecoder().decode
    for texts in data(*content(answer, exchange), exchange):
        for text in texts:
            value: object = decode(text.decode())
            if isinstance(value, dict) and value.get("error"):
                from gptkit.provider.errors import reported

                raise reported(value["error"], exchange)
            yield value


def _error_body(answer: Answer, headers: Mapping[str, str], exchange: Exchange) -> object:
    exchange.clock.hurry(exchange.clock.idle)
    try:
        plain = stream.decoded(answer.body, headers.get("content-encoding", ""), exchange)
    except ProtocolError:
        return ""
    text = _text(stream.start(plain, stream.ERROR_LIMIT), headers.get("content-type", "")).strip()
    try:
        body: object = json.loads(text)
    except (ValueError, RecursionError):
        return text
    return body.get("error", body) if isinstance(body, dict) else body


def _text(raw: bytes, kind: str) -> str:
    """In the encoding that its label names; a server's error page is as often in GBK as in UTF-8."""
    charset = kind.lower().partition("charset=")[2].partition(";")[0].strip(" \"'")
    try:
        return raw.decode(charset or "utf-8", "replace")
    except (LookupError, ValueError):  # no such encoding, or one that is not of text
        return raw.decode("utf-8", "replace")


def _redirect(status: int, location: str, exchange: Exchange) -> ProtocolError:
    """A redirect would carry the prompt elsewhere; it is shown instead."""
    here = exchange.place
    try:
        there = urlsplit(urljoin(f"{here.url}/", location))
        name = f"'{one_line(there.scheme + '://' + (there.hostname or ''), 100)}'" if location else "nowhere"
    except ValueError:
        name = "an address that cannot be read"
    return ProtocolError(
        f"'{here.scheme}://{here.host}' redirects to {name} ({status})",
        hint="nothing was sent there; set the base URL to the final address if you trust it",
    )
