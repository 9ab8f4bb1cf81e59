"""One table from what the SDK, HTTP, TLS and sockets raise to gptkit's errors."""

from __future__ import annotations

import errno
import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

from gptkit.core.errors import (
    GptkitError,
    IncompleteError,
    InternalError,
    NoPermissionError,
    ProtocolError,
    RateLimitError,
    RefusedError,
    TooLongError,
    TryAgainError,
    UnavailableError,
)
from gptkit.core.redact import Redactor, is_secret
from gptkit.core.sanitize import one_line
from gptkit.provider.exchange import Exchange, StatusError
from gptkit.provider.stream import title

_LONGEST = 4096
"""Characters of a message that are looked at; a few hundred are shown."""

_PARAMETER = re.compile(
    r"""(?:unsupported\ (?:parameter|value)s?|unrecogni[sz]ed\ request\ arguments?(?:\ supplied)?
        |unknown\ (?:parameter|argument|field|name)s?|unexpected\ (?:parameter|argument|field)s?
        |extra\ inputs\ are\ not\ permitted|(?:parameter|argument|field)\ not\ (?:supported|allowed)
        |unexpected\ keyword\ argument|invalid\ (?:parameter|value)):?\s*
        ['"`]?(?P<name>[A-Za-z_][A-Za-z0-9_]*)""",
    re.IGNORECASE | re.VERBOSE,
)
_QUOTED_PARAMETER = re.compile(
    r"""['"`](?P<name>[a-z_][a-z0-9_]*)['"`]?(?:\ parameter)?\ (?:is|are|does|do)\ (?:not|n't|un|only\ )""",
    re.VERBOSE,
)
_PLACE = re.compile(r"""['"]?loc['"]?:\s*[\[(]\s*(?:['"]body['"],\s*)?['"]([a-z_][a-z0-9_]*)['"]""")
_NUMBER = r"(\d[\d,_]*)"
_CONTEXT = rf"maximum context length is {_NUMBER}.*?(?:requested|resulted in)(?: about)? {_NUMBER}"
_LIMITS = (  # and whether what is allowed comes before what was sent
    (re.compile(_CONTEXT, re.DOTALL), True),
    (re.compile(rf"{_NUMBER} tokens? > {_NUMBER}"), False),
    (re.compile(rf"token count \({_NUMBER}\) exceeds .*?\({_NUMBER}\)", re.DOTALL), False),
    (re.compile(rf"\({_NUMBER} tokens?\) exceeds .*?\({_NUMBER} tokens?\)", re.DOTALL), False),
)
_TOO_LONG = re.compile(
    r"context[_ ](?:length|size|window)|prompt is too long|too many tokens|exceed_context_size"
    r"|input token count|reduce the length",
    re.IGNORECASE,
)
_NO_CREDIT = re.compile(
    r"insufficient[_ ](?:quota|balance|credits?|funds)|credit[_ ]balance|exceeded your current quota"
    r"|billing[_ ](?:hard[_ ]limit|not[_ ]active)|(?:spend|spending|budget)[_ ]limit"
    r"|payment[_ ]required|out of credits",
    re.IGNORECASE,
)

_REFUSED = re.compile(
    r"content[_ ](?:filter|policy|management policy)|ResponsibleAIPolicyViolation|invalid_prompt"
    r"|moderation[_ ]blocked|safety[_ ]system|input was flagged|flagged as potentially",
    re.IGNORECASE,
)
_BAD_VALUE = re.compile(
    r"(?:above|below)[ _](?:the )?(?:max|min)|out[ _]of[ _]range|too (?:large|small|high|low)"
    r"|(?:less|greater|more) than(?: or equal)?|must be (?:between|at (?:least|most)|positive|a )"
    r"|expected a value|invalid[ _]type|(?:less|greater)_than",
    re.IGNORECASE,
)
"""A value that no model would take: the user is told, since leaving it out would hide the mistake."""


class Complaint(NamedTuple):
    """`kind` holds the server's own words for what it is: code and type. All of it is foreign text."""

    message: str
    kind: str
    parameter: str
    status: int | None
    counts: tuple[int, int] | None = None

    @property
    def no_credit(self) -> bool:
        return bool(_NO_CREDIT.search(f"{self.kind} {self.message}"))

    @property
    def refused(self) -> bool:
        """For what the request says; another request may well be answered."""
        return bool(_REFUSED.search(f"{self.kind} {self.message}"))

    @property
    def rejected(self) -> str:
        """The parameter that the model does not take; not one whose value alone is wrong."""
        bad_value = _BAD_VALUE.search(self.kind) or _BAD_VALUE.search(self.message)
        return "" if bad_value else self.parameter

    @property
    def too_long(self) -> bool:
        return bool(_TOO_LONG.search(self.kind) or (not self.parameter and _TOO_LONG.search(self.message)))


def complaint(body: object) -> Complaint:
    """From an error body: an object, or the text that was not JSON."""
    if isinstance(body, Mapping):
        inner = body.get("error")
        if isinstance(inner, Mapping):
            return complaint(inner)
        message = _message(body)[:_LONGEST]
        kind = " ".join(str(body[name])[:100] for name in ("code", "type", "status") if body.get(name))
        return Complaint(message, kind, _parameter(body, message), _status(body), _counts(body))
    text = body if isinstance(body, str) else ""
    if text.lstrip()[:1] == "<":
        text = title(text.encode()) or "a web page"
    return Complaint(text[:_LONGEST], "", _parameter({}, text[:_LONGEST]), None)


def tokens(said: Complaint) -> tuple[int, int] | None:
    """How many tokens were sent and how many are allowed, where the server says both."""
    if said.counts:
        return said.counts
    for pattern, allowed_first in _LIMITS:
        if found := pattern.search(said.message):
            one, other = (int(re.sub(r"\D", "", number)) for number in found.groups())
            return (other, one) if allowed_first else (one, other)
    return None


def wait(headers: Mapping[str, str]) -> float | None:
    """Seconds that the server asks to wait: `retry-after-ms`, seconds, or a date."""
    for name, unit in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        try:
            seconds = float(headers.get(name, "")) / unit
        except ValueError:
            continue
        if 0 <= seconds < float("inf"):
            return seconds
    return _until(headers.get("retry-after", ""))


def _until(date: str) -> float | None:
    from email.utils import parsedate_to_datetime
    from time import time

    try:
        return max(0.0, parsedate_to_datetime(date).timestamp() - time())
    except (TypeError, ValueError, OverflowError, OSError):
        return None


def _counts(body: Mapping[object, object]) -> tuple[int, int] | None:
    sent, allowed = body.get("n_prompt_tokens"), body.get("n_ctx")
    return (sent, allowed) if isinstance(sent, int) and isinstance(allowed, int) else None


def _message(body: Mapping[object, object]) -> str:
    for name in ("message", "detail", "error", "msg", "error_description", "title", "errors"):
        value = body.get(name)
        if isinstance(value, str) and value.strip():
            return value
        if isinstance(value, Mapping):
            return _message(value)
        if isinstance(value, list) and value:
            rows = [row for row in value if isinstance(row, Mapping)]
            return "; ".join(_row(row) for row in rows) if rows else str(value[0])
    return ""


def _row(row: Mapping[object, object]) -> str:
    """One complaint of a validation library: where and what."""
    place = row.get("loc")
    path = ".".join(str(part) for part in place if part != "body") if isinstance(place, list | tuple) else ""
    return f"{path}: {_message(row)}" if path else _message(row)


def _parameter(body: Mapping[object, object], message: str) -> str:
    named = body.get("param")
    if isinstance(named, str) and (root := re.match(r"[A-Za-z_]\w*", named)):
        return root[0]
    if place := _location(body):
        return place
    for pattern in (_PLACE, _PARAMETER, _QUOTED_PARAMETER):
        if found := pattern.search(message):
            return found[1]
    return ""


def _location(value: object) -> str:
    """The first `loc` of a validation library's answer, however deep it lies."""
    if isinstance(value, Mapping):
        place = value.get("loc")
        if isinstance(place, list | tuple):
            return next((part for part in place if isinstance(part, str) and part != "body"), "")
        return next((found for inner in value.values() if (found := _location(inner))), "")
    if isinstance(value, list):
        return next((found for inner in value if (found := _location(inner))), "")
    return ""


def _status(body: Mapping[object, object]) -> int | None:
    for name in ("status", "code", "status_code"):
        value = body.get(name)
        number = int(value) if isinstance(value, str) and value.isdigit() and len(value) == 3 else value
        if isinstance(number, int) and not isinstance(number, bool) and 400 <= number <= 599:
            return number
    return None


_CA_HINT = "if your network has its own certificate authority, name its file in SSL_CERT_FILE"


def fault(error: Exception, exchange: Exchange) -> GptkitError:
    """The error to raise instead; it holds neither the key nor the exception it came from."""
    found = error if isinstance(error, GptkitError) else _fault(error, exchange)
    if exchange.partial and not isinstance(found, IncompleteError | InternalError):
        message = f"answer cut short: {found.message}"
        found = IncompleteError(message, hint=found.hint, tries=found.tries, billed=found.billed)
    elif found.billed and exchange.billable and not exchange.partial:
        found.message += "; it may have been billed"
    found.partial = exchange.partial
    found.request_id = found.request_id or exchange.request_id
    found.message = redacted(found.message, exchange)
    found.args = (found.message,)
    found.__cause__ = found.__context__ = None
    return found.with_traceback(error.__traceback__ if isinstance(found, InternalError) else None)


def is_cut(error: Exception) -> bool:
    """The connection ended or fell silent, as opposed to bringing something wrong."""
    root = causes(error)[-1]
    return isinstance(root, OSError) or type(root).__name__ == "RemoteProtocolError"


_SHORTEST = 4
"""Characters of a secret: a server on one's own machine takes short ones, and repeats them where it likes."""


def redacted(text: str, exchange: Exchange) -> str:
    """Server text without what belongs to the user alone: key, password, secret headers."""
    endpoint = exchange.endpoint
    secrets = Redactor(_SHORTEST)
    secrets.add([endpoint.key or "", exchange.place.login.partition(":")[2]])
    secrets.add(value for name, value in endpoint.headers.items() if is_secret(name))
    return secrets.redact(text)


def reported(body: object, exchange: Exchange) -> GptkitError:
    """An error object where a piece of the answer should be."""
    said = complaint(body)
    status = said.status or (400 if "invalid_request" in said.kind else None)
    if said.no_credit:
        status = 402
    if status:
        return _of_status(status, said, exchange)
    return TryAgainError("the server stopped with an error" + _shown(said, exchange), tries=4)


def _fault(error: Exception, exchange: Exchange) -> GptkitError:
    if isinstance(error, StatusError):
        found = _of_status(error.status_code, complaint(error.body), exchange)
        found.wait = wait(error.headers)
        return found
    links = causes(error)
    names = [kind.__name__ for kind in type(links[-1]).__mro__]
    row = next((ROWS[name] for name in names if name in ROWS), _internal)
    return row(links[-1], exchange)


def _of_status(status: int, said: Complaint, exchange: Exchange) -> GptkitError:
    row = STATUS.get(status) or STATUS[500 if status >= 500 else 400]
    if status in (400, 413, 422) and said.too_long:
        numbers = tokens(said)
        of = f": {numbers[0]} of {numbers[1]} tokens" if numbers else _shown(said, exchange)
        long = TooLongError(f"input too long{of}")
        long.limit = numbers[1] if numbers else None
        return long
    if status in (400, 402, 403, 429) and said.no_credit:
        row = STATUS[402]
    if status in (400, 403, 422) and said.refused:
        row = STATUS[451]
    if status == 404 and not exchange.model:
        row = STATUS[405] if exchange.sought.endswith("API") else STATUS[405]._replace(hint="")
    if status == 401 and not exchange.endpoint.key:
        row = row._replace(what="the server wants an API key")
    proxy = f"the proxy {exchange.proxy}" if exchange.proxy else "a proxy on the way"
    what = row.what.format(url=exchange.place.url, model=exchange.model, sought=exchange.sought, proxy=proxy)
    found = row.kind(
        f"{what} ({status})" + _shown(said, exchange), hint=row.hint, tries=row.tries, billed=row.billed
    )
    found.parameter = said.rejected if status in (400, 422) else ""
    return found


def _shown(said: Complaint, exchange: Exchange) -> str:
    """Redacted before it is cut: half a key is too much as well."""
    text = one_line(redacted(said.message, exchange))
    return f": {text}" if text else ""


class _Row(NamedTuple):
    kind: type[GptkitError]
    tries: int
    what: str
    hint: str = ""
    billed: bool = False


STATUS: Mapping[int, _Row] = {
    400: _Row(UnavailableError, 1, "request not accepted"),
    401: _Row(
        NoPermissionError, 1, "the API key was not accepted", "store the right one with 'gptkit keys set'"
    ),
    402: _Row(UnavailableError, 1, "no credit"),
    403: _Row(NoPermissionError, 1, "not allowed"),
    404: _Row(UnavailableError, 1, "no model '{model}' at '{url}'", "'gptkit models' lists what is there"),
    405: _Row(UnavailableError, 1, "no {sought} at '{url}'", "the base URL often ends in /v1"),
    407: _Row(NoPermissionError, 1, "{proxy} wants a login", "write user and password into its URL"),
    408: _Row(TryAgainError, 2, "the server gave up waiting", billed=True),
    409: _Row(TryAgainError, 2, "conflict at the server", billed=True),
    413: _Row(TooLongError, 1, "input too long"),
    422: _Row(UnavailableError, 1, "request not accepted"),
    425: _Row(TryAgainError, 4, "the server is not ready"),
    451: _Row(RefusedError, 1, "the provider refused the request"),
    429: _Row(RateLimitError, 4, "too many requests"),
    500: _Row(TryAgainError, 4, "server trouble"),
}
"""By HTTP status; 400 and 500 stand for their hundreds."""


def _certificate(error: BaseException, exchange: Exchange) -> GptkitError:
    code = getattr(error, "verify_code", 0)
    reason = _CERTIFICATE.get(code, f"not valid (OpenSSL's error {code})")
    return ProtocolError(f"TLS: certificate of '{exchange.place.host}': {reason}", hint=_CA_HINT)


_CERTIFICATE = {
    9: "not valid yet",
    10: "expired",
    18: "self-signed",
    **dict.fromkeys((19, 20, 21), "its authority is not trusted"),
    23: "revoked",
    **dict.fromkeys((62, 64), "made out to another host"),
}
"""By X509_V_ERR_*, https://docs.openssl.org/master/man3/X509_STORE_CTX_get_error."""


def _tls(error: BaseException, exchange: Exchange) -> GptkitError:
    name = str(getattr(error, "reason", None) or "HANDSHAKE_FAILURE")
    if exchange.phase == "read":
        return _cut(f"TLS failed ({name})", exchange)
    plain = name in _NOT_TLS
    what = "the server does not speak it" if plain else f"it failed ({name})"
    hint = "a server without TLS has a base URL that starts with http://" if plain else _CA_HINT
    return ProtocolError(f"TLS with {exchange.place.place}: {what}", hint=hint)


_NOT_TLS = {"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG"}
"""Names of OpenSSL's reasons."""


def _name(error: BaseException, exchange: Exchange) -> GptkitError:
    host = exchange.proxy or exchange.place.host
    import socket

    if isinstance(error, OSError) and error.errno == socket.EAI_AGAIN:
        return TryAgainError(f"no answer from name look-up for '{host}'", tries=4)
    return TryAgainError(f"no such host: '{host}'", hint="check the base URL and the network", tries=2)


_PATIENCE = "a model that thinks for long needs a larger idle_timeout: 'gptkit config set idle_timeout 600'"


def _refused(error: BaseException, exchange: Exchange) -> GptkitError:
    return TryAgainError(f"nothing listens on {exchange.proxy or exchange.place.place}", tries=4)


def _silent(error: BaseException, exchange: Exchange) -> GptkitError:
    clock = exchange.clock
    if exchange.phase == "connect":
        where = f"through {exchange.proxy}" if exchange.proxy else f"to {exchange.place.place}"
        seconds = exchange.endpoint.deadlines.connect
        return TryAgainError(f"no connection {where} in {seconds:g} s", tries=4)
    if exchange.phase == "send":
        return TryAgainError(f"the request could not be sent in {clock.idle:g} s", tries=4)
    if clock.overdue:
        return _cut(f"no content for {clock.patience:g} s", exchange)
    if exchange.phase == "wait":
        return TryAgainError(f"no answer in {clock.idle:g} s", tries=2, billed=True, hint=_PATIENCE)
    return _cut(f"no bytes for {clock.idle:g} s", exchange)


def _closed(error: BaseException, exchange: Exchange) -> GptkitError:
    what = "connection reset" if isinstance(error, ConnectionResetError) else "connection closed"
    if exchange.phase in ("connect", "send"):
        where = exchange.proxy or exchange.place.place
        return TryAgainError(f"{what} by {where} before the request was sent", tries=4)
    if exchange.phase == "wait":
        return TryAgainError(f"{what} before an answer", tries=2, billed=True)
    return _cut(what, exchange)


def _unreachable(error: BaseException, exchange: Exchange) -> GptkitError:
    number = getattr(error, "errno", None)
    reason = errno.errorcode.get(number, "") if isinstance(number, int) else ""
    text = one_line(str(getattr(error, "strerror", "") or error)).lower() or "network error"
    if exchange.phase in ("wait", "read"):
        return _cut(text, exchange)
    where = exchange.proxy or exchange.place.place
    return TryAgainError(f"{where}: {text}" + (f" ({reason})" if reason else ""), tries=4)


def _cut(what: str, exchange: Exchange) -> GptkitError:
    if exchange.partial:
        return IncompleteError(f"answer cut short: {what}", tries=4)
    return TryAgainError(f"answer cut short before its first word: {what}", tries=2, billed=True)


def _not_http(error: BaseException, exchange: Exchange) -> GptkitError:
    """h11 raises one class for garbage, for a cut head and for a cut body."""
    if exchange.ended and exchange.phase == "wait":
        return _closed(error, exchange)
    if exchange.ended and exchange.sized:
        if exchange.partial:
            return _cut("fewer bytes than announced", exchange)
        return ProtocolError("the answer has fewer bytes than announced", tries=2, billed=True)
    if exchange.ended:
        return _cut("connection closed", exchange)
    if exchange.phase == "read":
        return ProtocolError("the answer's HTTP framing is broken", tries=2, billed=True)
    where = exchange.proxy if exchange.proxy and exchange.phase == "connect" else exchange.place.place
    return ProtocolError(f"{where} does not speak HTTP", tries=2)


def _proxy(error: BaseException, exchange: Exchange) -> GptkitError:
    text = str(error)
    if text.startswith("407") or "auth" in text.lower():
        _kind, _tries, what, hint, _billed = STATUS[407]
        return NoPermissionError(what.format(proxy=f"the proxy {exchange.proxy}") + " (407)", hint=hint)
    said = one_line(text) if text[:3].isdigit() else "it could not make the connection"  # its status line
    return TryAgainError(f"proxy {exchange.proxy}: {said}", tries=4)


def _no_socks(error: BaseException, exchange: Exchange) -> GptkitError:
    return ProtocolError(f"proxy {exchange.proxy} does not speak SOCKS5", tries=2)


def _malformed(error: BaseException, exchange: Exchange) -> GptkitError:
    if exchange.phase != "read":
        return _internal(error, exchange)
    what = "not valid UTF-8" if isinstance(error, UnicodeDecodeError) else "not valid JSON"
    return ProtocolError(f"malformed answer: {what}", tries=2, billed=True)


def _in_stream(error: BaseException, exchange: Exchange) -> GptkitError:
    return reported(getattr(error, "body", None), exchange)


def _internal(error: BaseException, exchange: Exchange) -> GptkitError:
    return InternalError(f"provider: {type(error).__name__}: {one_line(str(error))}")


ROWS: Mapping[str, Callable[[BaseException, Exchange], GptkitError]] = {
    "SSLCertVerificationError": _certificate,
    "SSLEOFError": _closed,
    "SSLZeroReturnError": _closed,
    "SSLError": _tls,
    "gaierror": _name,
    "ConnectionRefusedError": _refused,
    "ConnectionError": _closed,
    "TimeoutError": _silent,
    "TimeoutException": _silent,
    "ProxyError": _proxy,
    "SOCKSError": _no_socks,
    "RemoteProtocolError": _not_http,
    "NetworkError": _closed,
    "OSError": _unreachable,
    "JSONDecodeError": _malformed,
    "UnicodeDecodeError": _malformed,
    "RecursionError": _malformed,
    "ValueError": _malformed,
    "APIError": _in_stream,
}
"""By the name of a class, the nearest of its bases first: naming one must not load what defines it."""


def causes(error: BaseException) -> list[BaseException]:
    """From the SDK's exception to the first cause; its own text is often just 'Connection error.'."""
    chain = [error]
    while (inner := _inner(chain[-1])) is not None and inner not in chain:
        chain.append(inner)
    return chain


def _inner(error: BaseException) -> BaseException | None:
    """httpcore2's pool breaks the chain, but what it wraps stays its argument."""
    wrapped = error.args[0] if error.args else None
    return error.__cause__ or (wrapped if isinstance(wrapped, BaseException) else None)
