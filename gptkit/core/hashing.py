"""SHA-256 without OpenSSL, whose library takes longer to load than a request takes to build."""

from __future__ import annotations

from contextlib import suppress
from importlib import import_module
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    import hashlib


def sha256(data: bytes) -> hashlib._Hash:
    """Return the SHA-256 of bytes: by Python's own module, whose name changed in 3.12, else by hashlib."""
    for name in ("_sha2", "_sha256"):
        with suppress(ImportError, AttributeError):
            return cast("hashlib._Hash", import_module(name).sha256(data))
    return cast("hashlib._Hash", import_module("hashlib").sha256(data))
