"""The lines that a game sends: read as they come, and understood one by one."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple, Never, cast

from gptkit.core.errors import CannotReadError, DataError
from gptkit.core.excerpt import describe_unexpected
from gptkit.core.sanitize import one_line

if TYPE_CHECKING:
    from gptkit.core.terminal import Terminal


LINE_CAP = 1 << 20
DEPTH_CAP = 64
KEYS = ("player", "state", "session")
PATIENCE = 0.1
"""Seconds after which a silent game is left if there is nothing more to answer it with."""
_BLOCK = 1 << 16


class PlayerEvent(NamedTuple):
    """What the player did. `session` is answered as it came; `key` tells sessions apart.

    A `fault` says why the line cannot be answered.
    """

    number: int
    key: str
    session: object = None
    player: str = ""
    state: Mapping[str, object] | None = None
    fault: DataError | None = None


def read_lines(terminal: Terminal, is_over: Callable[[], bool]) -> Iterator[bytes]:
    """Each line as soon as it is there; of one beyond all measure only as much as shows that."""
    held = b""
    while not is_over():
        if not terminal.wait_readable(PATIENCE):
            continue
        try:
            piece = cast("bytes | None", terminal.stdin.read(_BLOCK)) if terminal.stdin else b""
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise CannotReadError(f"standard input: {reason}") from error
        if piece is None:
            continue
        *whole, held = (held + piece).split(b"\n")
        yield from whole
        if not piece:
            break
        held = held[: LINE_CAP + 1]
    if held and not is_over():
        yield held


def parse_event(number: int, line: bytes) -> PlayerEvent:
    try:
        found = _object(line)
        session = found.get("session")
        if session is not None and not isinstance(session, str | int):
            raise DataError("'session' must be a text or a number")
    except DataError as error:
        return PlayerEvent(number, "", fault=_with_line(number, error))
    key = json.dumps(session)
    try:
        return PlayerEvent(number, key, session, _player(found), _state(found))
    except DataError as error:
        return PlayerEvent(number, key, session, fault=_with_line(number, error))


def _object(line: bytes) -> Mapping[str, object]:
    if len(line) > LINE_CAP:
        raise DataError(f"longer than {LINE_CAP >> 20} MiB")
    try:
        found = json.loads(
            line.decode("utf-8-sig"),
            object_pairs_hook=_unique_keys,
            parse_float=_parse_float,
            parse_constant=_refuse_constant,
        )
        _check_value(found, 0)
    except UnicodeDecodeError:
        raise DataError("not UTF-8") from None
    except json.JSONDecodeError as error:
        what = describe_unexpected(error.doc, error.pos)
        raise DataError(f"not JSON: {what} at character {error.colno}") from None
    except (ValueError, RecursionError):
        raise DataError("not JSON: a number too long, or nested too deep") from None
    if not isinstance(found, dict):
        raise DataError('must be a JSON object such as {"player": "...", "session": "..."}')
    return found


def _unique_keys(pairs: Sequence[tuple[str, object]]) -> dict[str, object]:
    """Of two values for one key none is sure to be the one that was meant."""
    found: dict[str, object] = {}
    for name, value in pairs:
        if name in found:
            raise DataError(f"the key '{one_line(name, 64)}' is given twice")
        found[name] = value
    return found


def _parse_float(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise DataError(f"not JSON: the number {digits[:20]} is too large")
    return number


def _refuse_constant(constant: str) -> Never:
    raise DataError(f"not JSON: {constant} is not a number")


def _check_value(value: object, depth: int) -> None:
    """What comes back with an answer must be JSON again, and text that can be written as UTF-8."""
    if isinstance(value, str) and not _is_encodable(value):
        raise DataError("half a character (a lone surrogate) in a text")
    if not isinstance(value, dict | list):
        return
    if depth == DEPTH_CAP:
        raise DataError(f"nested deeper than {DEPTH_CAP} levels")
    for part in (*value, *value.values()) if isinstance(value, dict) else value:
        _check_value(part, depth + 1)


def _is_encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _player(found: Mapping[str, object]) -> str:
    strange = [name for name in found if name not in KEYS]
    if strange:
        raise DataError(f"unknown key '{strange[0]}'; allowed: {', '.join(KEYS)}")
    player = found.get("player")
    if not isinstance(player, str) or not player.strip():
        raise DataError("'player' must be a text: what the player says or does")
    return player


def _state(found: Mapping[str, object]) -> Mapping[str, object] | None:
    state = found.get("state")
    if state is not None and not isinstance(state, dict):
        raise DataError("'state' must be a JSON object")
    return state


def _with_line(number: int, error: DataError) -> DataError:
    return DataError(f"line {number}: {error.message}")
