"""Checks and decodes every response: status, encoding, size and kind of content."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from urllib.parse import urljoin, urlsplit

from gptkit.core.errors import ProtocolError
from gptkit.core.sanitize import one_line
from gptkit.provider import stream
from gptkit.provider.exchange import Exchange, HttpResponse, StatusError


def decode_body(response: HttpResponse, exchange: Exchange) -> tuple[stream.Kind, Iterator[bytes]]:
    """Return the kind and the decoded body of a successful response, within the size limit.

    Raises StatusError or ProtocolError, while the body is read as well.
    """
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in response.headers}
    exchange.read_headers(headers)
    if response.status >= 400:
        raise StatusError(response.status, _error_body(response, headers, exchange), headers)
    if response.status // 100 == 3:
        raise _redirect(response.status, headers.get("location", ""), exchange)
    if response.status < 200 or response.status in (204, 205, 206):
        raise ProtocolError(f"not an API answer (status {response.status})", tries=2)
    limit = stream.FILE_LIMIT if exchange.is_file else stream.RESPONSE_LIMIT
    plain = stream.limit_size(
        stream.decompress(response.body, headers.get("content-encoding", ""), exchange), limit
    )
    kind, body = stream.detect_kind(plain, headers.get("content-type", ""))
    if kind == "empty" and not exchange.is_file:
        raise ProtocolError("empty answer", tries=2)
    return kind, body


def json_texts(kind: stream.Kind, body: Iterator[bytes], exchange: Exchange) -> Iterator[list[bytes]]:
    """Yield the JSON texts of a chat answer as they arrive; those of one read are in one list."""
    if kind == "json":
        yield [b"".join(body)]
        exchange.is_complete = True
        return
    yield from stream.event_data(body, exchange)
    while not exchange.is_verified and next(body, None) is not None:
        pass  # the checksum comes last, and alone tells a damaged compressed answer from a whole one


def json_values(response: HttpResponse, exchange: Exchange) -> Iterator[object]:
    """Yield the JSON values of a chat answer as they arrive. Raises the error that the answer reports."""
    decode = json.JSONDecoder().decode
    for texts in json_texts(*decode_body(response, exchange), exchange):
        for text in texts:
            value: object = decode(text.decode())
            if isinstance(value, dict) and value.get("error"):
                from gptkit.provider.errors import in_stream_error

                raise in_stream_error(value["error"], exchange)
            yield value


def _error_body(response: HttpResponse, headers: Mapping[str, str], exchange: Exchange) -> object:
    exchange.clock.shorten(exchange.clock.idle)
    try:
        plain = stream.decompress(response.body, headers.get("content-encoding", ""), exchange)
    except ProtocolError:
        return ""
    text = _decode_text(stream.read_start(plain, stream.ERROR_LIMIT), headers.get("content-type", "")).strip()
    try:
        body: object = json.loads(text)
    except (ValueError, RecursionError):
        return text
    return body.get("error", body) if isinstance(body, dict) else body


def _decode_text(raw: bytes, kind: str) -> str:
    """Decode text by the charset of its content type, else as UTF-8; error pages are often in GBK."""
    charset = kind.lower().partition("charset=")[2].partition(";")[0].strip(" \"'")
    try:
        return raw.decode(charset or "utf-8", "replace")
    except (LookupError, ValueError):  # no such encoding, or one that is not of text
        return raw.decode("utf-8", "replace")


def _redirect(status: int, location: str, exchange: Exchange) -> ProtocolError:
    """Report a redirect: to follow one would carry the prompt to another server."""
    base_url = exchange.base_url
    try:
        location_parts = urlsplit(urljoin(f"{base_url.url}/", location))
        name = (
            f"'{one_line(location_parts.scheme + '://' + (location_parts.hostname or ''), 100)}'"
            if location
            else "nowhere"
        )
    except ValueError:
        name = "an address that cannot be read"
    return ProtocolError(
        f"'{base_url.scheme}://{base_url.host}' redirects to {name} ({status})",
        hint="nothing was sent there; set the base URL to the final address if you trust it",
    )
