"""Translates what the SDK, HTTP, TLS, sockets and error bodies say into gptkit's errors, by tables."""

from __future__ import annotations

import errno
import re
from collections.abc import Callable, Mapping
from typing import NamedTuple
from urllib.parse import urlsplit

from gptkit.core.chat import SYSTEM_ROLE
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
from gptkit.core.local_servers import SERVERS
from gptkit.core.redact import Redactor, is_secret
from gptkit.core.sanitize import one_line
from gptkit.provider.error_body import ErrorReport, parse_error_body, retry_after, token_counts
from gptkit.provider.exchange import Exchange, StatusError

_CA_HINT = "if your network has its own certificate authority, name its file in SSL_CERT_FILE"


def to_gptkit_error(error: Exception, exchange: Exchange) -> GptkitError:
    """Make the GptkitError to raise instead of `error`, without the key and the original exception."""
    failure = error if isinstance(error, GptkitError) else _translate(error, exchange)
    if exchange.has_output and not isinstance(failure, IncompleteError | InternalError):
        message = f"answer cut short: {failure.message}"
        failure = IncompleteError(message, hint=failure.hint, tries=failure.tries, billed=failure.billed)
    elif failure.billed and exchange.is_billable and not exchange.has_output:
        failure.message += "; it may have been billed"
    failure.partial = exchange.has_output
    failure.request_id = failure.request_id or exchange.request_id
    failure.message = redact_secrets(failure.message, exchange)
    failure.args = (failure.message,)
    failure.__cause__ = failure.__context__ = None
    return failure.with_traceback(error.__traceback__ if isinstance(failure, InternalError) else None)


def is_disconnect(error: Exception) -> bool:
    """Whether the connection ended or fell silent, as opposed to a wrong answer."""
    root = exception_chain(error)[-1]
    return isinstance(root, OSError) or type(root).__name__ == "RemoteProtocolError"


_SHORTEST_SECRET = 4
"""Characters of the shortest secret that is redacted; local servers take short keys."""


def redact_secrets(text: str, exchange: Exchange) -> str:
    """Replace key, password and secret headers in server text."""
    endpoint = exchange.endpoint
    secrets = Redactor(_SHORTEST_SECRET)
    secrets.add([endpoint.key or "", exchange.base_url.login.partition(":")[2]])
    secrets.add(value for name, value in endpoint.headers.items() if is_secret(name))
    return secrets.redact(text)


def in_stream_error(body: object, exchange: Exchange) -> GptkitError:
    """Make the error of an error object that stands in place of a part of the answer."""
    report = parse_error_body(body)
    status = report.status or (400 if "invalid_request" in report.kind else None)
    if report.is_out_of_credit:
        status = 402
    if status:
        return _status_error(status, report, exchange)
    return TryAgainError("the server stopped with an error" + _shown_text(report, exchange), tries=4)


def _translate(error: Exception, exchange: Exchange) -> GptkitError:
    if isinstance(error, StatusError):
        report, wait = parse_error_body(error.body), retry_after(error.headers)
        return _status_error(
            error.status_code, report if wait is None else report._replace(wait=wait), exchange
        )
    links = exception_chain(error)
    names = [kind.__name__ for kind in type(links[-1]).__mro__]
    row = next((EXCEPTION_ROWS[name] for name in names if name in EXCEPTION_ROWS), _internal_error)
    return row(links[-1], exchange)


def _status_error(status: int, report: ErrorReport, exchange: Exchange) -> GptkitError:
    if status in (400, 413, 422) and report.is_too_long:
        numbers = token_counts(report)
        of = f": {numbers[0]} of {numbers[1]} tokens" if numbers else _shown_text(report, exchange)
        long = TooLongError(f"input too long{of}")
        long.limit = numbers[1] if numbers else None
        return long
    if exchange.has_attachments and report.rejects_attachments:
        return UnavailableError(
            f"'{exchange.model}' does not take the attachment ({status}){_shown_text(report, exchange)}",
            hint="choose a model that takes images or PDF with -m",
        )
    row = _status_row(status, report, exchange)
    proxy = f"the proxy {exchange.proxy}" if exchange.proxy else "a proxy on the way"
    names = {"url": exchange.base_url.url, "model": exchange.model, "resource": exchange.resource}
    what = (
        row.what.format(**names, proxy=proxy, key=exchange.endpoint.key_name)
        + f" ({status}){_shown_text(report, exchange)}"
    )
    failure = row.kind(what, hint=row.hint, tries=row.tries, billed=row.billed, wait=report.wait)
    if status in (400, 422, 500) and report.rejects_system_role:  # llama.cpp's chat templates fail with 500
        failure.parameter = SYSTEM_ROLE
    elif status in (400, 422):
        failure.parameter, failure.one_value = report.rejected_parameter, report.rejects_one_value
    return failure


def _status_row(status: int, report: ErrorReport, exchange: Exchange) -> _Row:
    """Return the row of a status; the server's words decide between rows of one status."""
    if status in (400, 403, 422) and report.is_refused:
        return STATUS_ROWS[451]
    if status in (400, 402, 403, 429) and report.is_out_of_credit:
        return STATUS_ROWS[402]
    if status in (400, 403) and report.is_bad_key:
        status = 401
    if status == 401:
        row = STATUS_ROWS[401]._replace(hint=exchange.endpoint.key_hint)
        return row if exchange.endpoint.key else row._replace(what="the server wants an API key")
    if status == 404 and not (exchange.model and report.names_model(exchange.model)):
        status = 405
    row = STATUS_ROWS.get(status) or STATUS_ROWS[500 if status >= 500 else 400]
    return row._replace(hint=_address_hint(exchange)) if status == 405 else row


def _address_hint(exchange: Exchange) -> str:
    """Return a hint at the base URL; a missing list of models or of batches says nothing about the URL."""
    if not exchange.resource.endswith("API"):
        return ""
    if not exchange.base_url.query and not _VERSION.search(exchange.base_url.path):
        return f"the base URL often ends in /v1: '{exchange.base_url.url}/v1'"
    return "'gptkit config list' shows where the base URL is set"


_VERSION = re.compile(r"/v\d")


def _shown_text(report: ErrorReport, exchange: Exchange) -> str:
    """Format the server's message; redaction comes before shortening, since half a key is secret as well."""
    text = one_line(redact_secrets(report.message, exchange))
    return f": {text}" if text else ""


class _Row(NamedTuple):
    kind: type[GptkitError]
    tries: int
    what: str
    hint: str = ""
    billed: bool = False


STATUS_ROWS: Mapping[int, _Row] = {
    400: _Row(UnavailableError, 1, "request not accepted"),
    401: _Row(NoPermissionError, 1, "{key} was not accepted"),
    402: _Row(UnavailableError, 1, "no credit"),
    403: _Row(NoPermissionError, 1, "not allowed"),
    404: _Row(UnavailableError, 1, "no model '{model}' at '{url}'", "'gptkit models' lists what is there"),
    405: _Row(UnavailableError, 1, "no {resource} at '{url}'"),
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
"""Errors by HTTP status; 400 and 500 stand for all others of their hundreds."""


def _certificate_error(error: BaseException, exchange: Exchange) -> GptkitError:
    code = getattr(error, "verify_code", 0)
    reason = _CERTIFICATE_REASONS.get(code, f"not valid (OpenSSL's error {code})")
    return ProtocolError(f"TLS: certificate of '{exchange.base_url.host}': {reason}", hint=_CA_HINT)


_CERTIFICATE_REASONS = {
    9: "not valid yet",
    10: "expired",
    18: "self-signed",
    **dict.fromkeys((19, 20, 21), "its authority is not trusted"),
    23: "revoked",
    **dict.fromkeys((62, 64), "made out to another host"),
}
"""Reasons by X509_V_ERR_*, https://docs.openssl.org/master/man3/X509_STORE_CTX_get_error."""


def _tls_error(error: BaseException, exchange: Exchange) -> GptkitError:
    name = str(getattr(error, "reason", None) or "HANDSHAKE_FAILURE")
    if exchange.phase == "read":
        return _cut_error(f"TLS failed ({name})", exchange)
    plain = name in _NOT_TLS
    what = "the server does not speak it" if plain else f"it failed ({name})"
    hint = "a server without TLS has a base URL that starts with http://" if plain else _CA_HINT
    return ProtocolError(f"TLS with {exchange.base_url.host_port}: {what}", hint=hint)


_NOT_TLS = {"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG"}
"""Reasons of OpenSSL that mean that the server speaks without TLS."""


def _lookup_error(error: BaseException, exchange: Exchange) -> GptkitError:
    host = urlsplit(exchange.endpoint.proxy or "").hostname or exchange.base_url.host
    whose = "the proxy " if exchange.proxy else ""
    import socket

    if isinstance(error, OSError) and error.errno == socket.EAI_AGAIN:
        return TryAgainError(f"no answer from name look-up for {whose}'{host}'", tries=4)
    hint = f"check the {'address of the proxy' if exchange.proxy else 'base URL'} and the network"
    return TryAgainError(f"no such host: {whose}'{host}'", hint=hint, tries=2)


_IDLE_HINT = "a model that thinks for long needs a larger idle_timeout: 'gptkit config set idle_timeout 600'"


_LOOPBACK = ("localhost", "127.0.0.1", "::1")


def _refused_error(error: BaseException, exchange: Exchange) -> GptkitError:
    if exchange.proxy:
        hint = "'--proxy none' goes without a proxy; 'gptkit config list' shows where the proxy is set"
        return TryAgainError(f"the proxy {exchange.proxy} does not listen", tries=4, hint=hint)
    url = exchange.base_url
    servers = [server for server in SERVERS if server.port == url.port and url.host in _LOOPBACK]
    hint = f"is {servers[0].name} running? '{servers[0].start}' starts it" if servers else ""
    return TryAgainError(f"nothing listens on {url.host_port}", tries=4, hint=hint)


def _peer(exchange: Exchange) -> str:
    """Return the name of what a connection is opened to."""
    return f"the proxy {exchange.proxy}" if exchange.proxy else exchange.base_url.host_port


def _timeout_error(error: BaseException, exchange: Exchange) -> GptkitError:
    clock = exchange.clock
    if exchange.phase == "connect":
        where = f"through {exchange.proxy}" if exchange.proxy else f"to {exchange.base_url.host_port}"
        seconds = exchange.endpoint.deadlines.connect
        return TryAgainError(f"no connection {where} in {seconds:g} s", tries=4)
    if exchange.phase == "send":
        return TryAgainError(f"the request could not be sent in {clock.idle:g} s", tries=4)
    if clock.is_overdue:
        return _cut_error(f"no content for {clock.content_limit:g} s", exchange)
    if exchange.phase == "wait":
        return TryAgainError(f"no answer in {clock.idle:g} s", tries=2, billed=True, hint=_IDLE_HINT)
    return _cut_error(f"no bytes for {clock.idle:g} s", exchange)


def _closed_error(error: BaseException, exchange: Exchange) -> GptkitError:
    what = "connection reset" if isinstance(error, ConnectionResetError) else "connection closed"
    if exchange.phase in ("connect", "send"):
        return TryAgainError(f"{what} by {_peer(exchange)} before the request was sent", tries=4)
    if exchange.phase == "wait":
        return TryAgainError(f"{what} before an answer", tries=2, billed=True)
    return _cut_error(what, exchange)


def _network_error(error: BaseException, exchange: Exchange) -> GptkitError:
    number = getattr(error, "errno", None)
    reason = errno.errorcode.get(number, "") if isinstance(number, int) else ""
    text = one_line(str(getattr(error, "strerror", "") or error)).lower() or "network error"
    if exchange.phase in ("wait", "read"):
        return _cut_error(text, exchange)
    return TryAgainError(f"{_peer(exchange)}: {text}" + (f" ({reason})" if reason else ""), tries=4)


def _cut_error(what: str, exchange: Exchange) -> GptkitError:
    if exchange.has_output:
        return IncompleteError(f"answer cut short: {what}", tries=4)
    return TryAgainError(f"answer cut short before its first word: {what}", tries=2, billed=True)


def _not_http(error: BaseException, exchange: Exchange) -> GptkitError:
    """Tell garbage, a cut head and a cut body apart, for which h11 raises the same class."""
    if exchange.is_closed and exchange.phase == "wait":
        return _closed_error(error, exchange)
    if exchange.is_closed and exchange.has_length:
        if exchange.has_output:
            return _cut_error("fewer bytes than announced", exchange)
        return ProtocolError("the answer has fewer bytes than announced", tries=2, billed=True)
    if exchange.is_closed:
        return _cut_error("connection closed", exchange)
    if exchange.phase == "read":
        return ProtocolError("the answer's HTTP framing is broken", tries=2, billed=True)
    is_proxy = exchange.proxy and exchange.phase == "connect"
    where = exchange.proxy if is_proxy else exchange.base_url.host_port
    return ProtocolError(f"{where} does not speak HTTP", tries=2)


def _proxy_error(error: BaseException, exchange: Exchange) -> GptkitError:
    text = str(error)
    if text.startswith("407") or "auth" in text.lower():
        _kind, _tries, what, hint, _billed = STATUS_ROWS[407]
        return NoPermissionError(what.format(proxy=f"the proxy {exchange.proxy}") + " (407)", hint=hint)
    reason = one_line(text) if text[:3].isdigit() else "it could not make the connection"  # a status line
    return TryAgainError(f"proxy {exchange.proxy}: {reason}", tries=4)


def _socks_error(error: BaseException, exchange: Exchange) -> GptkitError:
    return ProtocolError(f"proxy {exchange.proxy} does not speak SOCKS5", tries=2)


def _malformed_error(error: BaseException, exchange: Exchange) -> GptkitError:
    if exchange.phase != "read":
        return _internal_error(error, exchange)
    what = "not valid UTF-8" if isinstance(error, UnicodeDecodeError) else "not valid JSON"
    return ProtocolError(f"malformed answer: {what}", tries=2, billed=True)


def _sdk_stream_error(error: BaseException, exchange: Exchange) -> GptkitError:
    return in_stream_error(getattr(error, "body", None), exchange)


def _internal_error(error: BaseException, exchange: Exchange) -> GptkitError:
    return InternalError(f"provider: {type(error).__name__}: {one_line(str(error))}")


EXCEPTION_ROWS: Mapping[str, Callable[[BaseException, Exchange], GptkitError]] = {
    "SSLCertVerificationError": _certificate_error,
    "SSLEOFError": _closed_error,
    "SSLZeroReturnError": _closed_error,
    "SSLError": _tls_error,
    "gaierror": _lookup_error,
    "ConnectionRefusedError": _refused_error,
    "ConnectionError": _closed_error,
    "TimeoutError": _timeout_error,
    "TimeoutException": _timeout_error,
    "ProxyError": _proxy_error,
    "SOCKSError": _socks_error,
    "RemoteProtocolError": _not_http,
    "NetworkError": _closed_error,
    "OSError": _network_error,
    "JSONDecodeError": _malformed_error,
    "UnicodeDecodeError": _malformed_error,
    "RecursionError": _malformed_error,
    "ValueError": _malformed_error,
    "APIError": _sdk_stream_error,
}
"""Errors by the name of an exception class or its nearest base: no library is imported for its classes."""


def exception_chain(error: BaseException) -> list[BaseException]:
    """Return an exception and its causes; the SDK's own text is often just 'Connection error.'."""
    chain = [error]
    while (inner := _next_cause(chain[-1])) is not None and inner not in chain:
        chain.append(inner)
    return chain


def _next_cause(error: BaseException) -> BaseException | None:
    """Return the cause of an exception; httpcore2's pool only keeps the cause as an argument."""
    wrapped = error.args[0] if error.args else None
    return error.__cause__ or (wrapped if isinstance(wrapped, BaseException) else None)
