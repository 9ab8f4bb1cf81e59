"""The openai SDK: loaded late, without the parts that one chat completion never touches."""

from __future__ import annotations

import sys
from _thread import allocate_lock
from collections.abc import Callable, Sequence
from functools import lru_cache
from importlib.machinery import ModuleSpec, PathFinder
from threading import local
from types import ModuleType
from typing import TYPE_CHECKING, cast
from urllib.parse import parse_qsl

from gptkit.chat import Deadlines
from gptkit.provider.exchange import Exchange
from gptkit.provider.guard import NO_KEY

if TYPE_CHECKING:
    from importlib.abc import Loader

    import httpx2
    import openai

_DEFERRED = {"openai.types", "openai.types.responses"}
"""Packages whose `__init__` imports some 350 modules of the SDK: more than half of its load time."""


_loading, _loaded = allocate_lock(), list[bool]()
"""Several threads may send their first requests at once."""
_under_way = local()
"""`answer` is what the request that this thread is about to send gets."""


def client(exchange: Exchange, answer: Callable[[httpx2.Request], httpx2.Response]) -> openai.OpenAI:
    """The SDK's client; this thread's next request over it is handed to `answer`.

    Everything that the SDK would else take from the environment or decide by itself is given:
    key, headers, retries, redirects, proxies.
    """
    load()
    _under_way.answer = answer
    endpoint, place = exchange.endpoint, exchange.place
    headers = {name.lower(): value for name, value in exchange.message.headers}
    authorization = headers.get("authorization", f"Bearer {NO_KEY}")
    about = (endpoint.organization or "", endpoint.project or "", place.url, place.query)
    return _client(authorization, *about, endpoint.deadlines)


@lru_cache(maxsize=8)
def _client(
    authorization: str, organization: str, project: str, url: str, query: str, deadlines: Deadlines
) -> openai.OpenAI:
    """One for each endpoint: to make it costs as much as the rest of a request."""
    import httpx2
    import openai

    class Transport(httpx2.BaseTransport):
        def handle_request(self, request: httpx2.Request) -> httpx2.Response:
            answer: Callable[[httpx2.Request], httpx2.Response] = _under_way.answer
            return answer(request)

    return openai.OpenAI(
        api_key=NO_KEY,
        admin_api_key="",
        organization=organization,
        project=project,
        webhook_secret="",
        base_url=url,
        max_retries=0,
        default_headers={"Authorization": authorization},
        default_query=dict(parse_qsl(query, keep_blank_values=True)),
        http_client=httpx2.Client(
            transport=Transport(),
            follow_redirects=False,
            trust_env=False,
            timeout=httpx2.Timeout(deadlines.idle, connect=deadlines.connect),
        ),
    )


def load() -> None:
    """Imports the SDK; its deferred packages run when something first needs a name of theirs.

    They are the real packages at their real place, only executed later, as the import system's own
    LazyLoader does and Python 3.15 does for `lazy import`; LazyLoader itself would run a package
    for each of its submodules. Whatever the SDK comes to need of them it gets: the worst case is
    the ordinary load time.
    """
    with _loading:
        if _loaded:
            return
        finder = _Finder()
        sys.meta_path.insert(0, finder)
        try:
            import anyio
            import openai  # noqa: F401
        finally:
            sys.meta_path.remove(finder)
        _silence()
        _ = anyio.EndOfStream  # needed to close an abandoned stream, when it may be too late to import
        _loaded.append(True)


def _silence() -> None:
    """OPENAI_LOG has the SDK write its log, prompts included, among the two lines that a failure has."""
    import logging

    logging.getLogger("openai").setLevel(logging.CRITICAL + 1)


class _Finder:
    @staticmethod
    def find_spec(
        name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name not in _DEFERRED:
            return None
        spec = PathFinder.find_spec(name, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader = cast("Loader", _Loader(spec.loader))
        return spec


class _Loader:
    def __init__(self, loader: Loader) -> None:
        self.loader = loader

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self.loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        module.__dict__["__loader__"] = self.loader
        module.__class__ = _DeferredModule


class _DeferredModule(ModuleType):
    """A package before its first use: it has a name and a place, and its submodules can be imported."""

    def __getattr__(self, name: str) -> object:
        if name.startswith("__") and name != "__all__":
            raise AttributeError(name)
        loader = cast("Loader", self.__loader__)
        if self.__spec__ is not None:
            self.__spec__.loader = loader
        self.__class__ = ModuleType  # type: ignore[assignment]
        loader.exec_module(self)
        return getattr(self, name)
