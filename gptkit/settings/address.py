"""Parse base URLs and proxy URLs, and decide whether a host is reached through a proxy."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache

_HOST = frozenset("abcdefghijklmnopqrstuvwxyz0123456789._-")
_NUMERIC_HOST = frozenset("0123456789abcdef:.")
_PATH = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789/._~!$&'()*+,;=:@%-")
_QUERY = r"api-version=[A-Za-z0-9.-]{1,40}"
_CALLS = ("/chat/completions", "/completions", "/responses", "/models")
_QUOTES = ('"', "'", "`", "“", "”", "‘", "’", "«", "»")
_PORTS = {"https": 443, "http": 80}


class ApiAddress:  # every run makes one: a dataclass would take longer to define than all else here
    """The parts of a base URL; `url` is the whole, with Azure's `?api-version=` at its end."""

    __slots__ = ("host", "port", "scheme", "url")

    def __init__(self, url: str, scheme: str, host: str, port: int) -> None:
        self.url = url
        self.scheme = scheme
        self.host = host
        self.port = port

    @property
    def authority(self) -> str:
        """What keys are bound to: the host, with the port unless it is that of https."""
        return self.host if (self.scheme, self.port) == ("https", 443) else f"{self.host}:{self.port}"

    def call_url(self, path: str) -> str:
        """The URL of a call of the API, such as `/chat/completions`."""
        base, mark, query = self.url.partition("?")
        return f"{base}{path}{mark}{query}"

    @property
    def is_loopback(self) -> bool:
        """Whether what is sent to the host stays on this machine; true only for unambiguous spellings."""
        return self.host in ("localhost", "[::1]") or _is_loopback_address(self.host)


@lru_cache(maxsize=32)  # each layer of settings, key and header parses the same URL
def parse_base_url(url: str) -> ApiAddress:
    """Parse a base URL; raises ValueError with a message that repeats nothing that may be secret.

    Few forms are accepted, so that no other URL parser can read another host from the same URL.
    """
    scheme, _, rest = url.strip().partition("://")
    rest, mark, query = rest.partition("?")
    authority, slash, path = rest.partition("/")
    host, port = _split_port(authority.lower())
    scheme, path = scheme.lower(), (slash + path).rstrip("/")
    if not url.isascii() or scheme not in _PORTS or not _is_host(host) or not _PATH.issuperset(path):
        raise ValueError(_problem(url.strip()))
    if mark and not re.fullmatch(_QUERY, query):
        raise ValueError(_problem(url.strip()))
    number = int(port or _PORTS[scheme])
    if not 0 < number < 65536:
        raise ValueError("there is no such port")
    for call in _CALLS:
        if path.endswith(call):
            raise ValueError(f"leave out the '{call}' at its end")
    authority = host if number == _PORTS[scheme] else f"{host}:{number}"
    return ApiAddress(f"{scheme}://{authority}{path}{mark}{query}", scheme, host, number)


def parse_authority(text: str) -> str:
    """The authority of a base URL or of a host alone, which keys are bound to; raises ValueError."""
    return parse_base_url(text if "://" in text else f"https://{text}").authority


def _split_port(authority: str) -> tuple[str, str]:
    """The host and the digits of the port; all of `authority` and no digits if there is no valid port."""
    host, colon, port = authority.rpartition(":")
    if not colon or authority.endswith("]"):
        return authority, ""
    return (host, port) if port.isascii() and port.isdecimal() and len(port) < 6 else (authority, "")


def _is_host(host: str) -> bool:
    if host.startswith("["):
        return host.endswith("]") and len(host) > 4 and _NUMERIC_HOST.issuperset(host[1:-1])
    return _HOST.issuperset(host) and host[:1].isalnum() and host[-1:].isalnum() and ".." not in host


def _is_loopback_address(host: str) -> bool:
    """Whether a host is an address in 127.0.0.0/8, with four decimal numbers."""
    parts = host.split(".")
    return (
        len(parts) == 4
        and parts[0] == "127"
        and all(part.isdecimal() and str(int(part)) == part and int(part) < 256 for part in parts)
    )


def _problem(url: str) -> str:
    scheme, separator, rest = url.partition("://")
    if url[:1] in _QUOTES or url[-1:] in _QUOTES:
        return "stands in quotes; leave them out"
    if not separator:
        return "must begin with https:// or http://"
    if scheme.lower() not in _PORTS:
        return "must begin with https:// or http://"
    if "@" in rest.partition("/")[0]:
        return "must not hold a user or password; store the key with 'gptkit keys set'"
    if not rest.isascii():
        return "holds a character that is not ASCII"
    if "?" in rest or "#" in rest:
        return "must not hold '#', nor '?' except for '?api-version='"
    return "is not a URL"


_PROXY_URL = (  # compiled on first use: most runs have no proxy
    r"(?ai)(?P<scheme>https?|socks|socks5h?)://"
    r"([^\s/@]*@)?"
    r"(?P<host>[a-z0-9]([a-z0-9._-]*[a-z0-9])?|\[[0-9a-f:.]+\])"
    r"(:[0-9]{1,5})?/?"
)
_NO_PROXY = ("none", "direct")
_LOOPBACK = r"(?i)localhost|\[::1\]|127(\.[0-9]{1,3}){3}"


def proxy_variables(scheme: str, environ: Mapping[str, str]) -> tuple[str, ...]:
    """The environment variables that may name a proxy, by rank: lower case before upper, as in curl."""
    names = [f"{scheme}_proxy", f"{scheme.upper()}_PROXY", "all_proxy", "ALL_PROXY"]
    if scheme == "http" and "REQUEST_METHOD" in environ:
        names.remove("HTTP_PROXY")  # under CGI a client sets it with a "Proxy:" header
    return tuple(names)


def parse_proxy_url(text: str) -> str | None:
    """Parse a proxy's URL for the HTTP library, None for `none`; raises ValueError without a password."""
    text = text.strip()
    if text.lower() in _NO_PROXY:
        return None
    if text[:1] in _QUOTES or text[-1:] in _QUOTES:
        raise ValueError("stands in quotes; leave them out")
    url = text if "://" in text else f"http://{text}"
    match = re.fullmatch(_PROXY_URL, url)
    if match is None:
        raise ValueError("must be a URL such as http://host:port or socks5h://host:port")
    scheme = match["scheme"].lower()
    if scheme == "socks":  # what GNOME writes into ALL_PROXY
        scheme = "socks5"
    return scheme + url[match.end("scheme") :].rstrip("/")


def check_index_url(text: str) -> None:
    """Raise ValueError for what is no address of a PostgreSQL database, and for one with a password."""
    from urllib.parse import urlsplit

    parts = urlsplit(text.strip())
    if parts.scheme not in ("postgresql", "postgres"):
        what = f"'{parts.scheme}:'" if parts.scheme else "a name"
        raise ValueError(f"{what} is no shared index: it begins with postgresql://")
    if parts.password or re.search(r"(?i)(^|&)(ssl)?password=", parts.query):
        raise ValueError(
            "a password in an address can be seen by others; put it into ~/.pgpass or PGPASSFILE"
        )


def bypasses_proxy(target: ApiAddress, direct: Sequence[str], proxy: str) -> bool:
    """Whether a host is reached without the proxy.

    Args:
        direct: the entries of NO_PROXY.
    """
    if target.is_loopback and not _is_local(proxy):  # a proxy elsewhere cannot reach this machine's loopback
        return True
    return any(_matches(target, entry.strip().lower()) for entry in direct)


def mask_password(url: str) -> str:
    """Replace the password in a URL, so that the URL can be shown."""
    return re.sub(r"(://[^:@/]*):[^@/]*@", r"\1:****@", url)


def _is_local(proxy: str) -> bool:
    match = re.fullmatch(_PROXY_URL, proxy)
    return match is not None and bool(re.fullmatch(_LOOPBACK, match["host"]))


def _matches(target: ApiAddress, entry: str) -> bool:
    """Whether an entry of NO_PROXY means a host: `*`, a domain, an address or a network, also with a port."""
    if entry in ("", "*"):
        return entry == "*"
    if "/" in entry:
        return _in_network(target.host.strip("[]"), entry)
    host, colon, port = entry.rpartition(":")
    if colon and port.isdecimal() and (":" not in host or host.startswith("[")):
        if int(port) != target.port:
            return False
        entry = host
    entry = entry.removeprefix("*").removeprefix(".").strip("[]")
    host = target.host.strip("[]")
    return host == entry or host.endswith(f".{entry}")


def _in_network(host: str, entry: str) -> bool:
    import ipaddress

    try:
        return ipaddress.ip_address(host) in ipaddress.ip_network(entry, strict=False)
    except ValueError:
        return False
