"""What tokens cost and how many a model takes, from the settings or a dated list; never the network."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Literal

from gptkit.core.chat import Charge

if TYPE_CHECKING:
    from datetime import datetime
    from decimal import Decimal

    from genai_prices.data_snapshot import DataSnapshot
    from genai_prices.types import ModelInfo, TieredPrices

    Rate = Decimal | TieredPrices | None


PriceSource = Literal["settings", "offline", "provider", "name", "machine", "none"]
"""Who knows the price: `settings`; nobody needs one (`offline`); the list, for the provider at this
address; the list, for a model of this `name` at an address that it does not know, which may charge
something else. No price: the server is on this `machine`, or there is `none`."""
PRICE_LIST = "genai-prices"
_DATED = r"(.+?)(?:[-@](?:20\d\d-\d\d-\d\d|20\d{6})|:latest)"
"""Servers answer under the name of a dated version; prices are set for the name that is asked for."""
_ANY_PROVIDER = "litellm"
"""What the list calls a gateway: the provider is found by the model's name, or by a prefix `openai/`."""


class Prices:
    """Prices and windows of the models at one address: a base URL, or a bare host.

    `own` are the prices of the settings: a model's name and `[input, output]` in US dollars a million
    tokens; they come first. A server on this machine (Ollama, llama.cpp, a proxy) has no price but
    those: whether its answers are free, or whose they are, is not for a list to say, and its window is
    what it was started with. Tokens that a server took from its cache are not known here, so a cost is
    rather too high. The first use of the list takes 60 ms after the SDK and 350 ms without it.
    """

    def __init__(self, own: Mapping[str, object], base_url: str, context_window: int | None = None) -> None:
        self._own = own
        self._url = base_url if "://" in base_url else f"https://{base_url}"
        self._context_window = context_window
        self._found: dict[str, tuple[ModelInfo | None, PriceSource]] = {}
        self._elsewhere: dict[str, Prices] = {}

    def for_host(self, host: str) -> Prices:
        """The same user's prices at another address."""
        if host not in self._elsewhere:
            self._elsewhere[host] = Prices(self._own, host, self._context_window)
        return self._elsewhere[host]

    def charge_cost(self, charge: Charge) -> tuple[float | None, PriceSource]:
        """US dollars of a request that was made, where and when it was made, and who knows them."""
        there = self.for_host(charge.host)
        cost = charge.cost
        if cost is None:
            cost = there.cost(charge.model, charge.prompt_tokens, charge.completion_tokens, charge.started)
        return cost, there.source(charge.model)

    def cost(
        self, model: str, prompt_tokens: int, completion_tokens: int, when: float | None = None
    ) -> float | None:
        """US dollars of one request at a time in Unix seconds, by default now; None: no price is known.

        Do not add up requests before: a long one can cost more for each token.
        """
        if (own := self._own_rates(model)) is not None:
            return (own[0] * prompt_tokens + own[1] * completion_tokens) / 1e6
        if _is_offline(model):
            return 0.0
        info = self._listed(model)[0]
        if info is None or not info.prices:
            return None
        prices = info.get_prices(_moment(when))
        rates: tuple[Rate, Rate, Rate] = prices.input_mtok, prices.output_mtok, prices.requests_kcount
        if rates == (None, None, None):
            return None  # the list knows the model, and a price for seconds or pages at most
        per_input, per_output, per_request = (_rate(each, prompt_tokens) for each in rates)
        return (per_input * prompt_tokens + per_output * completion_tokens) / 1e6 + per_request / 1e3

    def context_window(self, model: str) -> int | None:
        """Tokens that the model takes, as the settings or the list say."""
        if self._context_window is not None or _is_offline(model):
            return self._context_window
        info = self._listed(model)[0]
        return info.context_window if info else None

    def source(self, model: str) -> PriceSource:
        """Where the price of a model comes from, or why there is none."""
        if self._own_rates(model) is not None:
            return "settings"
        return "offline" if _is_offline(model) else self._listed(model)[1]

    @property
    def date(self) -> str:
        """The day of the list's newest price, such as `2026-11-09`; to be shown beside every price."""
        return _newest_price()

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

    def _listed(self, model: str) -> tuple[ModelInfo | None, PriceSource]:
        if model not in self._found:
            self._found[model] = (None, "machine") if _is_loopback(self._url) else _look_up(model, self._url)
        return self._found[model]


def _look_up(model: str, url: str) -> tuple[ModelInfo | None, PriceSource]:
    snapshot = _snapshot()
    try:
        provider = snapshot.find_provider(None, None, url)
    except LookupError:
        provider = None
    try:
        if provider is not None:  # which does not have what it does not list, whoever else does
            return snapshot.find_provider_model(model, provider, None, None)[1], "provider"
        return snapshot.find_provider_model(model, None, _ANY_PROVIDER, None)[1], "name"
    except LookupError:
        return None, "none"


def _snapshot() -> DataSnapshot:
    from genai_prices.data_snapshot import get_snapshot

    return get_snapshot()


def _rate(price: Rate, prompt_tokens: int) -> float:
    """The dollars that the request's length leads to: beyond a tier's start, its price is that of all."""
    from genai_prices.types import TieredPrices

    if not isinstance(price, TieredPrices):
        return float(price or 0)
    reached = [tier.price for tier in price.tiers if prompt_tokens > tier.start]
    return float(reached[-1] if reached else price.base)


@cache
def _newest_price() -> str:
    """The package dates neither itself nor its prices but those that begin on a day. A price can be known
    long before that day, so those that begin after the package was installed do not count."""
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
    days = [each.start_date for each in constraints if isinstance(each, StartDateConstraint)]
    begun = [day for day in days if day <= installed]
    # where an installer writes no true times (1970, 1980), the newest price that has begun by now
    newest = max(begun, default=None) or max(day for day in days if day <= datetime.now(UTC).date())
    return newest.isoformat()


def _moment(when: float | None) -> datetime:
    from datetime import UTC, datetime

    try:
        return datetime.now(UTC) if when is None else datetime.fromtimestamp(when, UTC)
    except (ValueError, OverflowError, OSError):  # an imported record's time can be anything
        return datetime.now(UTC)


def _is_offline(model: str) -> bool:
    return model == "echo" or model.startswith("local:")


def _is_loopback(url: str) -> bool:
    place = url.partition("://")[2].partition("/")[0].lower()
    return place.startswith(("127.", "[::1]")) or place.partition(":")[0] == "localhost"
