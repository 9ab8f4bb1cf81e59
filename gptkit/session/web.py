"""Fetch a page whose address the user has typed; nothing else causes a fetch."""

from __future__ import annotations

from contextlib import suppress
from importlib.util import find_spec
from io import BytesIO
from pathlib import PurePosixPath
from time import monotonic
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote, urljoin, urlsplit

from gptkit.core.activity import ActivityLine
from gptkit.core.chat import Deadlines
from gptkit.core.errors import (
    ConfigurationError,
    GptkitError,
    NoInputError,
    ProtocolError,
    TryAgainError,
    UnavailableError,
    UsageError,
)
from gptkit.core.sanitize import one_line
from gptkit.provider import direct
from gptkit.provider.exchange import Exchange, HttpResponse
from gptkit.provider.request import parse_base_url
from gptkit.provider.stream import decompress, limit_size
from gptkit.settings.address import ApiAddress, mask_password
from gptkit.settings.endpoint import page_endpoint

if TYPE_CHECKING:
    from gptkit.core.terminal import Terminal
    from gptkit.settings.load import Settings

SIZE_LIMIT = 20 << 20
"""Bytes of a page, after decompression."""
SECONDS = 60.0
"""From the first connection to the last byte, with all redirects."""
MOST_REDIRECTS = 5
DEADLINES = Deadlines(connect=10.0, idle=20.0)
ACCEPT = "text/html, application/xhtml+xml, application/pdf, text/*;q=0.9, */*;q=0.5"
NAT64 = "64:ff9b::/96"
"""IPv6 addresses that hold an IPv4 address in their last 32 bits (RFC 6052)."""


class WebPage(NamedTuple):
    """What an address holds.

    `url` is the address that redirects led to. The ending of `path` tells the kind of document. `encoding` is
    what the server says of a text, None if it says nothing that fits.
    """

    url: str
    path: str
    data: bytes
    encoding: str | None


def page_text(
    url: str, encoding: str | None, settings: Settings, terminal: Terminal, is_quiet: bool
) -> tuple[str, str]:
    """Fetch a page; returns its address and its text: the main text of HTML, the text of a document.

    `encoding` is that of the user, None to recognise it. Raises what `fetch_page` and the readers raise.
    """
    from gptkit.encodings.decode import decode
    from gptkit.readers import HEAD, document_text, reader_of
    from gptkit.readers.process import DocumentReader

    page = fetch_page(url, settings, terminal, is_quiet)
    name, encoding = f"'{page.url}'", encoding or page.encoding
    reader = reader_of(page.path, page.data[:HEAD])
    if reader.is_text and reader.name != "page":
        return page.url, decode(page.data, name, encoding)
    with DocumentReader(decode, encoding) as documents:
        return page.url, document_text(documents.blocks(BytesIO(page.data), page.path, name))


def fetch_page(url: str, settings: Settings, terminal: Terminal, is_quiet: bool) -> WebPage:
    """Fetch what an address holds. Raises UsageError for an address that is not public, NoInputError for a
    missing page, UnavailableError, TryAgainError, ProtocolError, and ConfigurationError without the extra."""
    line, due = ActivityLine(terminal, is_quiet=is_quiet), monotonic() + SECONDS
    line.start(lambda _: f"fetching {urlsplit(url).hostname}")
    try:
        for count in range(MOST_REDIRECTS + 1):
            exchange, literal = _exchange(url, settings, due, is_redirect=count > 0)
            try:
                if literal:  # a proxy would look up a name itself
                    exchange.check_address(literal)
                response = _send(exchange)
                headers = {name.decode("latin-1").lower(): value for name, value in response.headers}
                exchange.read_headers({name: value.decode("latin-1") for name, value in headers.items()})
                if response.status // 100 == 3 and "location" in headers:
                    url = _redirected(url, headers["location"].decode("utf-8", "replace"))
                    continue
                _check_status(response.status)
                body = decompress(
                    response.body, headers.get("content-encoding", b"").decode("latin-1"), exchange
                )
                data = b"".join(limit_size(body, SIZE_LIMIT))
                return _page(url, headers.get("content-type", b"").decode("latin-1").lower(), data)
            except Exception as error:
                raise _failure(error, exchange) from None
            finally:
                exchange.close()
    finally:
        line.stop()
    raise ProtocolError(f"'{exchange.base_url.host_header}': more than {MOST_REDIRECTS} redirects")


def _redirected(url: str, location: str) -> str:
    try:
        return urljoin(url, location)
    except ValueError:
        raise ProtocolError(f"a redirect to '{one_line(mask_password(location), 200)}'") from None


def _exchange(url: str, settings: Settings, due: float, *, is_redirect: bool) -> tuple[Exchange, str]:
    """Prepare the request of a page, without credentials; returns its address too if the host spells one."""
    failure = ProtocolError if is_redirect else UsageError
    try:
        parts = urlsplit(url)
        base_url = parse_base_url(f"{parts.scheme}://{parts.netloc}")
    except (ValueError, ConfigurationError):
        raise failure(f"'{one_line(mask_password(url), 200)}': not an http or https address") from None
    if base_url.login:
        raise failure(f"'{base_url.host}': an address with a user or a password is not fetched")
    seconds = max(due - monotonic(), 0.1)
    endpoint = page_endpoint(
        settings,
        ApiAddress(base_url.url, base_url.scheme, base_url.host, base_url.port),
        DEADLINES._replace(first_content=seconds, content=seconds),
    )
    target = quote(parts.path or "/", safe="/%:@!$&'()*+,;=~-._")
    target += f"?{quote(parts.query, safe=QUERY_SAFE)}" if parts.query else ""
    exchange = Exchange(endpoint._replace(headers={"Accept": ACCEPT}), target)
    exchange.is_billable = False
    allowed = settings.value("fetch_hosts")
    names = {name.lower() for name in allowed} if isinstance(allowed, tuple) else set()
    if not {base_url.host, base_url.host_port} & names:
        exchange.check_address = lambda address: _check_address(address, base_url.host_port, is_redirect)
    return exchange, _literal_address(base_url.host)


QUERY_SAFE = "/%:@!$&'()*+,;=~-._?[]"


def _send(exchange: Exchange) -> HttpResponse:
    if not exchange.endpoint.proxy:
        return direct.send(exchange)()
    from gptkit.provider.sdk_transport import send_over_httpcore

    return send_over_httpcore(exchange)


def _literal_address(host: str) -> str:
    """The address that a host is another spelling of; empty for a name, which has to be looked up."""
    import socket

    host = host.removesuffix(".")
    if host == "localhost" or host.endswith(".localhost"):
        return "127.0.0.1"
    if ":" in host:
        return host
    try:
        return socket.inet_ntoa(socket.inet_aton(host))  # takes 2130706433 and 0x7f.1, as resolvers do
    except OSError:
        return ""


def _check_address(address: str, host: str, is_redirect: bool) -> None:
    if is_public(address):
        return
    if is_redirect:
        raise ProtocolError(f"a redirect to {address}, which is not public")
    raise UsageError(f"{address} is not public", hint=f"'gptkit config set fetch_hosts {host}' allows it")


def is_public(address: str) -> bool:
    """Whether an address can be reached by everybody, also one of IPv6 that stands for one of IPv4."""
    from ipaddress import IPv4Address, IPv6Network, ip_address

    try:
        ip = ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if ip.version == 6:
        embedded = ip.ipv4_mapped or ip.sixtofour
        if ip in IPv6Network(NAT64):
            embedded = IPv4Address(int(ip) & 0xFFFFFFFF)
        if ip.is_site_local:  # deprecated, and global to the module
            return False
        ip = embedded or ip
    return ip.is_global and not (ip.is_multicast or ip.is_reserved)


def _check_status(status: int) -> None:
    if status in (404, 410):
        raise NoInputError(f"no such page ({status})")
    if status in (408, 425, 429) or status >= 500:
        raise TryAgainError(f"the server cannot answer now ({status})")
    if status in (401, 403, 407):
        raise UnavailableError(f"the page is not for everybody ({status})", hint="save it, and name the file")
    if status != 200:
        raise UnavailableError(f"no page (status {status})")


def _failure(error: Exception, exchange: Exchange) -> GptkitError:
    """Return the error to raise instead, which names the host."""
    from gptkit.provider.errors import exception_chain, to_gptkit_error

    if exchange.phase != "connect" and isinstance(exception_chain(error)[-1], TimeoutError):
        what = f"silent for {DEADLINES.idle:g} s, or not whole in {SECONDS:g} s"
        failure: GptkitError = TryAgainError(what)
    else:
        failure = to_gptkit_error(error, exchange)
    cause = failure.message.removeprefix("answer cut short before its first word: ")
    failure.message = f"'{exchange.base_url.host_header}': {cause}"
    if "base URL" in failure.hint:
        failure.hint = ""
    return failure


def _page(url: str, content_type: str, data: bytes) -> WebPage:
    from gptkit.readers import PAGE

    kind, charset = content_type.partition(";")[0].strip(), content_type.partition("charset=")[2]
    encoding = charset.partition(";")[0].strip(" \"'") or None
    if encoding is not None and not _fits(encoding, data):
        encoding = None
    if not data.strip():
        raise NoInputError("an empty page")
    if kind not in HTML and not (not kind and data.lstrip()[:15].lower().startswith(HTML_BEGINS)):
        return WebPage(url, PurePosixPath(urlsplit(url).path).name or "page", data, encoding)
    if find_spec("resiliparse") is None:
        raise ConfigurationError("web pages need the extra 'web'", hint="pip install 'gptkit[web]'")
    return WebPage(url, f"page{PAGE}", data, encoding)


def _fits(encoding: str, data: bytes) -> bool:
    """Whether bytes may be in an encoding that a server names; those that are UTF-8 are in no other."""
    from gptkit.encodings.decode import decode

    for name in ("utf-8", encoding):
        with suppress(GptkitError):
            decode(data, "", name)
            return name == encoding
    return False


HTML = ("text/html", "application/xhtml+xml")
HTML_BEGINS = (b"<!doctype html", b"<html")
