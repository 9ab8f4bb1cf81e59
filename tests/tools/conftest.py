"""Fixtures of tests with tools."""

from __future__ import annotations

import pytest
from fake.program import Surroundings
from fake.server import FakeServer
from tool_parts import TRAVELS, Tools


@pytest.fixture(params=TRAVELS)
def tools(request: pytest.FixtureRequest, around: Surroundings, server: FakeServer) -> Tools:
    """gptkit with tools, once for each way in which calls travel."""
    return Tools(around, server, request.param)


@pytest.fixture
def one(around: Surroundings, server: FakeServer) -> Tools:
    """gptkit with tools, for rules that do not depend on how calls travel."""
    return Tools(around, server, "structured")
