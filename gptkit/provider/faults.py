"""One table from what the SDK, HTTP, TLS and sockets raise to gptkit's errors."""

from __future__ import annotations

import errno
from collections.abc import Callable, Mapping
from typing import NamedTuple

from gptkit.core.errors import (
    GptkitError,
    Incomplete,
    InternalFault,
    NoPermission,
    ProtocolFault,
    RateLimited,
    Refused,
    TooLong,
    TryAgain,
    Unavailable,
)
from gptkit.core.sanitize import one_line
from gptkit.provider.complaint import Complaint, complaint, tokens, wait
from gptkit.provider.exchange import Exchange, StatusError
from gptkit.provider.redaction import redacted

_CA_HINT = "if your network has its own certificate authority, name its file in SSL_CERT_FILE"


def fault(error: Exception, exchange: Exchange) -> GptkitError:
    """The error to raise instead; it holds neither the key nor the exception it came from."""
    found = error if isinstance(error, GptkitError) else _fault(error, exchange)
    if exchange.partial and not isinstance(found, Incomplete | InternalFault):
        message = f"answer cut short: {found.message}"
        found = Incomplete(message, hint=found.hint, tries=found.tries, billed=found.billed)
    elif found.billed and exchange.billable and not exchange.partial:
        found.message += "; it may have been billed"
    found.partial = exchange.partial
    found.request_id = found.request_id or exchange.request_id
    found.message = redacted(found.message, exchange)
    found.args = (found.message,)
    found.__cause__ = found.__context__ = None
    return found.with_traceback(error.__traceback__ if isinstance(found, InternalFault) else None)


def is_cut(error: Exception) -> bool:
    """The connection ended or fell silent, as opposed to bringing something wrong."""
    root = causes(error)[-1]
    return isinstance(root, OSError) or type(root).__name__ == "RemoteProtocolError"


def reported(body: object, exchange: Exchange) -> GptkitError:
    """An error object where a piece of the answer should be."""
    said = complaint(body)
    status = said.status or (400 if "invalid_request" in said.kind else None)
    if said.no_credit:
        status = 402
    if status:
        return _of_status(status, said, exchange)
    return TryAgain("the server stopped with an error" + _shown(said, exchange), tries=4)


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
        long = TooLong(f"input too long{of}")
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
    400: _Row(Unavailable, 1, "request not accepted"),
    401: _Row(NoPermission, 1, "the API key was not accepted", "store the right one with 'gptkit keys set'"),
    402: _Row(Unavailable, 1, "no credit"),
    403: _Row(NoPermission, 1, "not allowed"),
    404: _Row(Unavailable, 1, "no model '{model}' at '{url}'", "'gptkit models' lists what is there"),
    405: _Row(Unavailable, 1, "no {sought} at '{url}'", "the base URL often ends in /v1"),
    407: _Row(NoPermission, 1, "{proxy} wants a login", "write user and password into its URL"),
    408: _Row(TryAgain, 2, "the server gave up waiting", billed=True),
    409: _Row(TryAgain, 2, "conflict at the server", billed=True),
    413: _Row(TooLong, 1, "input too long"),
    422: _Row(Unavailable, 1, "request not accepted"),
    425: _Row(TryAgain, 4, "the server is not ready"),
    451: _Row(Refused, 1, "the provider refused the request"),
    429: _Row(RateLimited, 4, "too many requests"),
    500: _Row(TryAgain, 4, "server trouble"),
}
"""By HTTP status; 400 and 500 stand for their hundreds."""


def _certificate(error: BaseException, exchange: Exchange) -> GptkitError:
    code = getattr(error, "verify_code", 0)
    reason = _CERTIFICATE.get(code, f"not valid (OpenSSL's error {code})")
    return ProtocolFault(f"TLS: certificate of '{exchange.place.host}': {reason}", hint=_CA_HINT)


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
    return ProtocolFault(f"TLS with {exchange.place.place}: {what}", hint=hint)


_NOT_TLS = {"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG"}
"""Names of OpenSSL's reasons."""


def _name(error: BaseException, exchange: Exchange) -> GptkitError:
    host = exchange.proxy or exchange.place.host
    import socket

    if isinstance(error, OSError) and error.errno == socket.EAI_AGAIN:
        return TryAgain(f"no answer from name look-up for '{host}'", tries=4)
    return TryAgain(f"no such host: '{host}'", hint="check the base URL and the network", tries=2)


_PATIENCE = "a model that thinks for long needs a larger idle_timeout: 'gptkit config set idle_timeout 600'"


def _refused(error: BaseException, exchange: Exchange) -> GptkitError:
    return TryAgain(f"nothing listens on {exchange.proxy or exchange.place.place}", tries=4)


def _silent(error: BaseException, exchange: Exchange) -> GptkitError:
    clock = exchange.clock
    if exchange.phase == "connect":
        where = f"through {exchange.proxy}" if exchange.proxy else f"to {exchange.place.place}"
        seconds = exchange.endpoint.deadlines.connect
        return TryAgain(f"no connection {where} in {seconds:g} s", tries=4)
    if exchange.phase == "send":
        return TryAgain(f"the request could not be sent in {clock.idle:g} s", tries=4)
    if clock.overdue:
        return _cut(f"no content for {clock.patience:g} s", exchange)
    if exchange.phase == "wait":
        return TryAgain(f"no answer in {clock.idle:g} s", tries=2, billed=True, hint=_PATIENCE)
    return _cut(f"no bytes for {clock.idle:g} s", exchange)


def _closed(error: BaseException, exchange: Exchange) -> GptkitError:
    what = "connection reset" if isinstance(error, ConnectionResetError) else "connection closed"
    if exchange.phase in ("connect", "send"):
        where = exchange.proxy or exchange.place.place
        return TryAgain(f"{what} by {where} before the request was sent", tries=4)
    if exchange.phase == "wait":
        return TryAgain(f"{what} before an answer", tries=2, billed=True)
    return _cut(what, exchange)


def _unreachable(error: BaseException, exchange: Exchange) -> GptkitError:
    number = getattr(error, "errno", None)
    reason = errno.errorcode.get(number, "") if isinstance(number, int) else ""
    text = one_line(str(getattr(error, "strerror", "") or error)).lower() or "network error"
    if exchange.phase in ("wait", "read"):
        return _cut(text, exchange)
    where = exchange.proxy or exchange.place.place
    return TryAgain(f"{where}: {text}" + (f" ({reason})" if reason else ""), tries=4)


def _cut(what: str, exchange: Exchange) -> GptkitError:
    if exchange.partial:
        return Incomplete(f"answer cut short: {what}", tries=4)
    return TryAgain(f"answer cut short before its first word: {what}", tries=2, billed=True)


def _not_http(error: BaseException, exchange: Exchange) -> GptkitError:
    """h11 raises one class for garbage, for a cut head and for a cut body."""
    if exchange.ended and exchange.phase == "wait":
        return _closed(error, exchange)
    if exchange.ended and exchange.sized:
        if exchange.partial:
            return _cut("fewer bytes than announced", exchange)
        return ProtocolFault("the answer has fewer bytes than announced", tries=2, billed=True)
    if exchange.ended:
        return _cut("connection closed", exchange)
    if exchange.phase == "read":
        return ProtocolFault("the answer's HTTP framing is broken", tries=2, billed=True)
    where = exchange.proxy if exchange.proxy and exchange.phase == "connect" else exchange.place.place
    return ProtocolFault(f"{where} does not speak HTTP", tries=2)


def _proxy(error: BaseException, exchange: Exchange) -> GptkitError:
    text = str(error)
    if text.startswith("407") or "auth" in text.lower():
        row = STATUS[407]
        return NoPermission(row.what.format(proxy=f"the proxy {exchange.proxy}") + " (407)", hint=row.hint)
    said = one_line(text) if text[:3].isdigit() else "it could not make the connection"  # its status line
    return TryAgain(f"proxy {exchange.proxy}: {said}", tries=4)


def _no_socks(error: BaseException, exchange: Exchange) -> GptkitError:
    return ProtocolFault(f"proxy {exchange.proxy} does not speak SOCKS5", tries=2)


def _malformed(error: BaseException, exchange: Exchange) -> GptkitError:
    if exchange.phase != "read":
        return _internal(error, exchange)
    what = "not valid UTF-8" if isinstance(error, UnicodeDecodeError) else "not valid JSON"
    return ProtocolFault(f"malformed answer: {what}", tries=2, billed=True)


def _in_stream(error: BaseException, exchange: Exchange) -> GptkitError:
    return reported(getattr(error, "body", None), exchange)


def _internal(error: BaseException, exchange: Exchange) -> GptkitError:
    return InternalFault(f"provider: {type(error).__name__}: {one_line(str(error))}")


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
