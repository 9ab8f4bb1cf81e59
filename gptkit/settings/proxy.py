"""Which proxy, if any, leads to a host."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gptkit.settings.address import Address

_FORM = (  # compiled on first use: most runs have no proxy
    r"(?ai)(?P<scheme>https?|socks|socks5h?)://"
    r"([^\s/@]*@)?"
    r"(?P<host>[a-z0-9]([a-z0-9._-]*[a-z0-9])?|\[[0-9a-f:.]+\])"
    r"(:[0-9]{1,5})?/?"
)
_NONE = ("none", "direct")
_LOOPBACK = r"(?i)localhost|\[::1\]|127(\.[0-9]{1,3}){3}"


def variables(scheme: str, environ: Mapping[str, str]) -> tuple[str, ...]:
    """The variables that may name a proxy, first one first, lower case before upper as curl does."""
    names = [f"{scheme}_proxy", f"{scheme.upper()}_PROXY", "all_proxy", "ALL_PROXY"]
    if scheme == "http" and "REQUEST_METHOD" in environ:
        names.remove("HTTP_PROXY")  # under CGI a visitor sets it with a "Proxy:" header
    return tuple(names)


def proxy_url(text: str) -> str | None:
    """The proxy's URL as the HTTP library takes it, None for `none`; ValueError repeats no password."""
    text = text.strip()
    if text.lower() in _NONE:
        return None
    url = text if "://" in text else f"http://{text}"
    found = re.fullmatch(_FORM, url)
    if found is None:
        raise ValueError("must be a URL such as http://host:port or socks5h://host:port")
    scheme = found["scheme"].lower()
    if scheme == "socks":  # what GNOME writes into ALL_PROXY
        scheme = "socks5"
    return scheme + url[found.end("scheme") :].rstrip("/")


def bypassed(target: Address, direct: Sequence[str], proxy: str) -> bool:
    """Whether the host is reached without the proxy.

    A proxy on another machine cannot reach this one's loopback.
    """
    if target.loopback and not _is_local(proxy):
        return True
    return any(_matches(target, entry.strip().lower()) for entry in direct)


def without_password(url: str) -> str:
    """The URL to show."""
    return re.sub(r"(://[^:@/]*):[^@/]*@", r"\1:****@", url)


def _is_local(proxy: str) -> bool:
    found = re.fullmatch(_FORM, proxy)
    return found is not None and bool(re.fullmatch(_LOOPBACK, found["host"]))


def _matches(target: Address, entry: str) -> bool:
    """One entry of NO_PROXY: `*`, a domain with all below it, an address, a network, each with a port."""
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
