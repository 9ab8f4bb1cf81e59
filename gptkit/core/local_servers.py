"""The kinds of model servers that people run on their own machine."""

from __future__ import annotations

from typing import NamedTuple


class LocalServer(NamedTuple):
    """A kind of model server and its usual port, which is `shared` if many other programs use it too.

    `start` is the command that starts the server.
    """

    name: str
    port: int
    shared: bool = False
    start: str = ""

    @property
    def base_url(self) -> str:
        return f"http://localhost:{self.port}/v1"


SERVERS = (
    LocalServer("Ollama", 11434, start="ollama serve"),
    LocalServer("LM Studio", 1234, start="lms server start"),
    LocalServer("llama.cpp", 8080, shared=True, start="llama-server -m FILE.gguf"),
    LocalServer("vLLM", 8000, shared=True, start="vllm serve MODEL"),
)
