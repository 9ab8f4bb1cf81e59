"""Prices and context windows of models, from the settings or an installed list, never from the network."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Literal

from gptkit.core.chat import Charge
from gptkit.core.clock import unix_time
from gptkit.core.local_servers import SERVERS

if TYPE_CHECKING:
    from datetime import datetime
    from decimal import Decimal

    from genai_prices.data_snapshot import DataSnapshot
    from genai_prices.types import ModelInfo, TieredPrices

    Rate = Decimal | TieredPrices | None


PriceSource = Literal["settings", "offline", "provider", "name", "machine", "none"]
"""Where a price comes from.

`settings`; `offline`: the model runs on this machine and is free; `provider`: the list, for the provider at
the address; `name`: the list, for a model of this name at an address that is not in the list, which may
charge another price. There is no price for `machine`, another server on this machine, and for `none`.
"""
PRICE_LIST = "genai-prices"
_DATED = r"(.+?)(?:[-@](?:20\d\d-\d\d-\d\d|20\d{6})|:latest)"
"""A model's name with the date of its version, as servers answer; the settings have the name without."""
_ANY_PROVIDER = "litellm"
"""The list's name of a gateway, for which it finds the provider by the model's name."""


class Prices:
    """Prices and context windows of the models at one address: a base URL, or a host alone.

    `own` are the prices in the settings, which come first: `[input, output]` in US dollars per million
    tokens, by the model's name. Models of Ollama and LM Studio on this machine cost nothing, but for those
    that Ollama runs in its cloud. Any other server on this machine (llama.cpp, vLLM, a gateway) has only the
    prices in the settings: the list cannot know whether its answers are free, nor the window that it was
    started with. Tokens from a server's cache count in full, so a cost may be too high. The first use of
    the list takes 60 ms if the SDK is loaded, else 350 ms.
    """

    def __init__(self, own: Mapping[str, object], base_url: str, context_window: int | None = None) -> None:
        self._own = own
        self._url = base_url if "://" in base_url else f"https://{base_url}"
        self._context_window = context_window
        self._listings: dict[str, tuple[ModelInfo | None, PriceSource]] = {}
        self._by_host: dict[str, Prices] = {}

    def for_host(self, host: str) -> Prices:
        """The prices of the same settings at another address."""
        if host not in self._by_host:
            self._by_host[host] = Prices(self._own, host, self._context_window)
        return self._by_host[host]

    def charge_cost(self, charge: Charge) -> tuple[float | None, PriceSource]:
        """The US dollars of a charge at its host and time, None if no price is known, and their source."""
        prices = self.for_host(charge.host)
        cost = charge.cost
        if cost is None:
            cost = prices.cost(charge.model, charge.prompt_tokens, charge.completion_tokens, charge.started)
        return cost, prices.source(charge.model)

    def cost(
        self, model: str, prompt_tokens: int, completion_tokens: int, when: float | None = None
    ) -> float | None:
        """The US dollars of one request; None if no price is known.

        Call this for each request, not for a sum of tokens: a long request can cost more per token.

        Args:
            when: the time of the request in Unix seconds; None for now.
        """
        rates = self._rates(model, prompt_tokens, when)
        if rates is None:
            return None
        per_input, per_output, per_request = rates
        return (per_input * prompt_tokens + per_output * completion_tokens) / 1e6 + per_request / 1e3

    def rates(self, model: str) -> tuple[float, float] | None:
        """The US dollars for a million tokens of a short request and of its answer; None if not known."""
        rates = self._rates(model, 0, None)
        return None if rates is None else rates[:2]

    def _rates(self, model: str, prompt_tokens: int, when: float | None) -> tuple[float, float, float] | None:
        """The US dollars for a million tokens of a request, of its answer, and for a thousand requests."""
        if (own := self._own_rates(model)) is not None:
            return (*own, 0.0)
        if self._is_free(model):
            return 0.0, 0.0, 0.0
        info = self._listing(model)[0]
        if info is None or not info.prices:
            return None
        prices = info.get_prices(_datetime(when))
        rates: tuple[Rate, Rate, Rate] = prices.input_mtok, prices.output_mtok, prices.requests_kcount
        if rates == (None, None, None):
            return None  # the list has only prices for seconds or pages
        per_input, per_output, per_request = (_dollars(rate, prompt_tokens) for rate in rates)
        return per_input, per_output, per_request

    def context_window(self, model: str) -> int | None:
        """The tokens of the model's context window by the settings or the list; None if not known."""
        if self._context_window is not None or _is_offline(model):
            return self._context_window
        info = self._listing(model)[0]
        return info.context_window if info else None

    def model_names(self) -> list[str]:
        """The models of this address in the list; empty if the list does not know its provider."""
        if _is_loopback(self._url):
            return []
        try:
            provider = _snapshot().find_provider(None, None, self._url)
        except LookupError:
            return []
        return [model.id for model in provider.models]

    def source(self, model: str) -> PriceSource:
        """Where the price of a model comes from, or why there is none."""
        if self._own_rates(model) is not None:
            return "settings"
        return "offline" if self._is_free(model) else self._listing(model)[1]

    @property
    def date(self) -> str:
        """The day of the list's newest price, such as `2026-11-09`, which is shown beside every price."""
        return _newest_price_day()

    @property
    def version(self) -> str:
        """The name and version of the list."""
        from genai_prices import __version__

        return f"{PRICE_LIST} {__version__}"

    def _own_rates(self, model: str) -> tuple[float, float] | None:
        value = self._own.get(model)
        if value is None and (dated := re.fullmatch(_DATED, model)):
            value = self._own.get(dated[1])
        match value:
            case [int() | float() as per_input, int() | float() as per_output]:
                return per_input, per_output
        return None

    def _is_free(self, model: str) -> bool:
        is_in_cloud = model.endswith(("-cloud", ":cloud"))  # Ollama's names, such as gpt-oss:120b-cloud
        return _is_offline(model) or (_is_local_server(self._url) and not is_in_cloud)

    def _listing(self, model: str) -> tuple[ModelInfo | None, PriceSource]:
        if model not in self._listings:
            self._listings[model] = (
                (None, "machine") if _is_loopback(self._url) else _look_up(model, self._url)
            )
        return self._listings[model]


def _look_up(model: str, url: str) -> tuple[ModelInfo | None, PriceSource]:
    snapshot = _snapshot()
    try:
        provider = snapshot.find_provider(None, None, url)
    except LookupError:
        provider = None
    try:
        if provider is not None:  # a model that is not listed for this provider has no price
            return snapshot.find_provider_model(model, provider, None, None)[1], "provider"
        return snapshot.find_provider_model(model, None, _ANY_PROVIDER, None)[1], "name"
    except LookupError:
        return None, "none"


def _snapshot() -> DataSnapshot:
    from genai_prices.data_snapshot import get_snapshot

    return get_snapshot()


def _dollars(price: Rate, prompt_tokens: int) -> float:
    """The US dollars for a request of this length: beyond the start of a tier all tokens cost its price."""
    from genai_prices.types import TieredPrices

    if not isinstance(price, TieredPrices):
        return float(price or 0)
    reached = [tier.price for tier in price.tiers if prompt_tokens > tier.start]
    return float(reached[-1] if reached else price.base)


@cache
def _newest_price_day() -> str:
    """The day on which the list's newest price begins.

    The package has no date of its own, and only some prices have a day on which they begin. A price can be
    announced long before its day, so prices that begin after the package was installed do not count.
    """
    from datetime import UTC, datetime
    from pathlib import Path

    import genai_prices
    from genai_prices.types import ModelPrice, StartDateConstraint

    installed = datetime.fromtimestamp(Path(genai_prices.__file__).stat().st_mtime, UTC).date()
    constraints = [
        price.constraint
        for provider in _snapshot().providers
        for model in provider.models
        if not isinstance(model.prices, ModelPrice)
        for price in model.prices
    ]
    days = [limit.start_date for limit in constraints if isinstance(limit, StartDateConstraint)]
    begun = [day for day in days if day <= installed]
    # Some installers write no true times (1970, 1980): then the newest price that has begun by now.
    newest = max(begun, default=None) or max(day for day in days if day <= _datetime(None).date())
    return newest.isoformat()


def _datetime(when: float | None) -> datetime:
    from datetime import UTC, datetime

    try:
        return datetime.fromtimestamp(unix_time() if when is None else when, UTC)
    except (ValueError, OverflowError, OSError):  # the time of an imported record can be any number
        return datetime.fromtimestamp(unix_time(), UTC)


def _is_offline(model: str) -> bool:
    return model == "echo" or model.startswith("local:")


def _is_local_server(url: str) -> bool:
    """Tell whether a URL is a server on this machine, at a port that only servers of free models use."""
    port = url.partition("://")[2].partition("/")[0].rpartition(":")[2]
    return _is_loopback(url) and port in {str(server.port) for server in SERVERS if not server.shared}


def _is_loopback(url: str) -> bool:
    authority = url.partition("://")[2].partition("/")[0].lower()
    return authority.startswith(("127.", "[::1]")) or authority.partition(":")[0] == "localhost"
