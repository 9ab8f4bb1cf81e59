"""The system's keyring, for users who installed gptkit[keyring]."""

from __future__ import annotations

from gptkit.core.errors import BadConfiguration

SERVICE = "gptkit"
_INSTEAD = "'gptkit keys set' without '--keyring' stores in a file that only you can read"


def read(host: str) -> str:
    """The key of a host, empty if the keyring has none any more."""
    found = _call("get_password", SERVICE, host)
    return found if isinstance(found, str) else ""


def write(host: str, key: str) -> None:
    """Store a key and see that it is there: the backend that stands for none takes all and keeps nothing."""
    _call("set_password", SERVICE, host, key)
    if read(host) != key:
        raise BadConfiguration("keyring: it did not keep the key", hint=_INSTEAD)


def forget(host: str) -> None:
    """Remove the key of a host; one that is gone already is fine."""
    if read(host):
        _call("delete_password", SERVICE, host)


def _call(name: str, *arguments: str) -> object:
    """A backend raises what it likes; of that only the kind is told, for the text may hold anything."""
    try:
        import keyring
    except ImportError:
        hint = "pip install 'gptkit[keyring]'"
        raise BadConfiguration("keyring: it is not installed", hint=hint) from None
    try:
        found: object = getattr(keyring, name)(*arguments)
        return found
    except Exception as error:
        kind = type(error).__name__
    problem = "this machine has none" if kind == "NoKeyringError" else f"it failed ({kind})"
    raise BadConfiguration(f"keyring: {problem}", hint=_INSTEAD)
