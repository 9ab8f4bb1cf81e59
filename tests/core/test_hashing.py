"""The hash of gptkit is that of hashlib, and loads no OpenSSL."""

from __future__ import annotations

import hashlib
import subprocess
import sys

from gptkit.core.hashing import sha256


def test_it_is_sha256() -> None:
    for data in (b"", b"abc", "世界".encode() * 1000):
        assert sha256(data).digest() == hashlib.sha256(data).digest()
        assert sha256(data).hexdigest() == hashlib.sha256(data).hexdigest()


def test_it_loads_no_openssl() -> None:
    code = "import sys; from gptkit.core.hashing import sha256; sha256(b''); print('_hashlib' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
