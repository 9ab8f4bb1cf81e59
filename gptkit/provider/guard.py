"""Everything between the wire and the SDK passes here: one request, checked answers, no redirects."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urljoin, urlsplit

from gptkit.errors import InternalFault, ProtocolFault
from gptkit.provider import body as bodies
from gptkit.provider.exchange import Answer, Exchange
from gptkit.provider.sse import normalised
from gptkit.sanitize import one_line

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx2

_NOT_PASSED_ON = {
    b"content-encoding",
    b"content-length",
    b"transfer-encoding",
    b"content-type",
    b"set-cookie",
}


class Guard:
    """Answers the SDK's one request with what `deliver` brings."""

    def __init__(self, exchange: Exchange, deliver: Callable[[], Answer]) -> None:
        self._exchange = exchange
        self._deliver: Callable[[], Answer] | None = deliver

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        import httpx2

        deliver, self._deliver = self._deliver, None
        if deliver is None:
            raise InternalFault("provider: the SDK asked twice")
        _same(request, self._exchange)
        answer = deliver()
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in answer.headers}
        self._exchange.answered(headers)
        kept = [row for row in answer.headers if row[0].lower() not in _NOT_PASSED_ON]
        if answer.status >= 400:
            content = _error_body(answer, headers, self._exchange)
            kept.append((b"content-type", headers.get("content-type", "").encode("latin-1")))
            return httpx2.Response(answer.status, headers=kept, content=content)
        if answer.status // 100 == 3:
            raise _redirect(answer.status, headers.get("location", ""), self._exchange)
        if answer.status < 200 or answer.status in (204, 205, 206):
            raise ProtocolFault(f"not an API answer (status {answer.status})", tries=2)
        kept.append((b"content-type", b"text/event-stream" if self._exchange.chat else b"application/json"))
        return httpx2.Response(200, headers=kept, content=_content(answer, headers, self._exchange))


def _content(answer: Answer, headers: dict[str, str], exchange: Exchange) -> Iterator[bytes]:
    """A chat answer always as events, also when the server sent one JSON object; a list as JSON."""
    limit = bodies.FILE_LIMIT if exchange.file else bodies.RESPONSE_LIMIT
    plain = bodies.limited(bodies.decoded(answer.body, headers.get("content-encoding", ""), exchange), limit)
    kind, content = bodies.recognised(plain, headers.get("content-type", ""))
    if kind == "empty" and not exchange.file:
        raise ProtocolFault("empty answer", tries=2)
    if not exchange.chat:
        yield from content
    elif kind == "json":
        yield b"data: "
        for piece in content:
            yield piece.translate(_ONE_LINE)
        yield b"\n\n"
        exchange.done = True
    else:
        yield from normalised(content, exchange)
        _await_seal(content, exchange)


def _await_seal(content: Iterator[bytes], exchange: Exchange) -> None:
    """Nothing but its checksum tells a bent compressed answer from a whole one, and that comes last."""
    while not exchange.sealed and next(content, None) is not None:
        pass


_ONE_LINE = bytes.maketrans(b"\r\n", b"  ")
"""Line breaks stand between the tokens of valid JSON only, where a space does as well."""


def _error_body(answer: Answer, headers: dict[str, str], exchange: Exchange) -> bytes:
    exchange.clock.hurry(exchange.clock.idle)
    try:
        plain = bodies.decoded(answer.body, headers.get("content-encoding", ""), exchange)
    except ProtocolFault:
        return b""
    return bodies.start(plain, bodies.ERROR_LIMIT)


def _redirect(status: int, location: str, exchange: Exchange) -> ProtocolFault:
    """A redirect would carry the prompt elsewhere; it is shown instead."""
    here = exchange.place
    try:
        there = urlsplit(urljoin(f"{here.url}/", location))
        name = f"'{one_line(there.scheme + '://' + (there.hostname or ''), 100)}'" if location else "nowhere"
    except ValueError:
        name = "an address that cannot be read"
    return ProtocolFault(
        f"'{here.scheme}://{here.host}' redirects to {name} ({status})",
        hint="nothing was sent there; set the base URL to the final address if you trust it",
    )


def _same(request: httpx2.Request, exchange: Exchange) -> None:
    """What the SDK would send is what was sent."""
    sent, place = exchange.message, exchange.place
    path, _, query = sent.target.partition("?")
    url = request.url
    headers = {name.lower(): value for name, value in sent.headers}
    differences = [
        name
        for name, equal in (
            ("method", request.method == sent.method),
            ("scheme", url.scheme == place.scheme),
            ("host", url.raw_host.decode("ascii").strip("[]") == place.host),
            ("port", (url.port or place.port) == place.port),
            ("path", url.raw_path.partition(b"?")[0] == path.encode()),
            ("query", dict(parse_qsl(url.query.decode("ascii"), True)) == dict(parse_qsl(query, True))),
            ("body", _equal(request.read(), sent.body)),
            ("key", request.headers.get("authorization", "") == headers.get("authorization", _NO_KEY)),
        )
        if not equal
    ]
    if differences:
        raise InternalFault(f"provider: the SDK's request differs in its {', '.join(differences)}")


NO_KEY = "none"
"""The SDK insists on a key; where there is none this one is given to it and never sent."""

_NO_KEY = f"Bearer {NO_KEY}"


def _equal(one: bytes, other: bytes) -> bool:
    return one == other or bool(one and other and json.loads(one) == json.loads(other))
