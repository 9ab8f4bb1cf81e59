"""Base URLs: the few forms that are accepted, and the host that a key is bound to."""

from __future__ import annotations

from functools import lru_cache

_HOST = frozenset("abcdefghijklmnopqrstuvwxyz0123456789._-")
_NUMERIC_HOST = frozenset("0123456789abcdef:.")
_PATH = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789/._~!$&'()*+,;=:@%-")
_CALLS = ("/chat/completions", "/completions", "/responses", "/models")
_PORTS = {"https": 443, "http": 80}


class Address:  # every run makes one: a dataclass would take longer to define than all else here
    """A base URL that was understood. `authority` is what keys are bound to: the host, with the port
    unless it is that of https."""

    __slots__ = ("host", "port", "scheme", "url")

    def __init__(self, url: str, scheme: str, host: str, port: int) -> None:
        self.url = url
        self.scheme = scheme
        self.host = host
        self.port = port

    @property
    def authority(self) -> str:
        return self.host if (self.scheme, self.port) == ("https", 443) else f"{self.host}:{self.port}"

    @property
    def loopback(self) -> bool:
        """What is sent there cannot leave the machine. Only spellings that nobody can bend."""
        return self.host in ("localhost", "[::1]") or _is_own_network(self.host)


@lru_cache(maxsize=32)  # each layer of settings, key and header asks for the same one
def address(url: str) -> Address:
    """The parts of a base URL; ValueError says what is wrong without repeating what may be secret.

    The form is narrow, so that no two URL parsers can read different hosts from it.
    """
    scheme, _, rest = url.strip().partition("://")
    place, slash, path = rest.partition("/")
    host, port = _host_and_port(place.lower())
    scheme, path = scheme.lower(), (slash + path).rstrip("/")
    if not url.isascii() or scheme not in _PORTS or not _is_host(host) or not _PATH.issuperset(path):
        raise ValueError(_problem(url.strip()))
    number = int(port or _PORTS[scheme])
    if not 0 < number < 65536:
        raise ValueError("there is no such port")
    for call in _CALLS:
        if path.endswith(call):
            raise ValueError(f"leave out the '{call}' at its end")
    shown = host if number == _PORTS[scheme] else f"{host}:{number}"
    return Address(f"{scheme}://{shown}{path}", scheme, host, number)


def authority(text: str) -> str:
    """The authority of a base URL or of a bare host, as keys are filed under it; ValueError if neither."""
    return address(text if "://" in text else f"https://{text}").authority


def _host_and_port(place: str) -> tuple[str, str]:
    """The host and the digits of the port; a place that is neither is left whole."""
    host, colon, port = place.rpartition(":")
    if not colon or place.endswith("]"):
        return place, ""
    return (host, port) if port.isascii() and port.isdecimal() and len(port) < 6 else (place, "")


def _is_host(host: str) -> bool:
    if host.startswith("["):
        return host.endswith("]") and len(host) > 4 and _NUMERIC_HOST.issuperset(host[1:-1])
    return _HOST.issuperset(host) and host[:1].isalnum() and host[-1:].isalnum() and ".." not in host


def _is_own_network(host: str) -> bool:
    """127.0.0.0/8 in its one plain spelling: no octal, no fewer numbers."""
    parts = host.split(".")
    return (
        len(parts) == 4
        and parts[0] == "127"
        and all(part.isdecimal() and str(int(part)) == part and int(part) < 256 for part in parts)
    )


def _problem(url: str) -> str:
    scheme, separator, rest = url.partition("://")
    if not separator:
        return "must begin with https:// or http://"
    if scheme.lower() not in _PORTS:
        return "must begin with https:// or http://"
    if "@" in rest.partition("/")[0]:
        return "must not hold a user or password; store the key with 'gptkit keys set'"
    if not rest.isascii():
        return "holds a character that is not ASCII"
    if "?" in rest or "#" in rest:
        return "must not hold '?' or '#'"
    return "is not a URL"
