"""What a lesson that showed nothing reports, and memories of cards at random."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from hypothesis import strategies as st

from gptkit.capabilities.course.model import STAGES, MemoryState

NOTHING: dict[str, Any] = {
    "level": None,
    "language": None,
    "goals": [],
    "reached": [],
    "topics": [],
    "mistakes": [],
    "cards": [],
}
TIMES = st.datetimes(datetime(1971, 1, 1), datetime(2200, 1, 1)).map(
    lambda moment: moment.replace(microsecond=0, tzinfo=UTC)
)
MEMORIES = st.builds(
    MemoryState,
    st.sampled_from(STAGES),
    st.integers(0, 10),
    st.floats(0.001, 36500),
    st.floats(1, 10),
    TIMES,
).map(lambda memory: memory._replace(step=None) if memory.stage == "review" else memory)
