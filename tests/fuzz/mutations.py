"""Mutations of valid inputs: tables with other values, texts and bytes with other pieces; and what a reader may do."""

from __future__ import annotations

import copy
import datetime
import math
import os
import time
from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from rfablate.errors import RfablateError

WHOLE = int(os.environ.get("RFABLATE_FUZZ", "2000"))
"""Number of examples of all fuzz tests together: 2,000 in make test, 100,000 in make fuzz."""
SECONDS = 20.0
"""Longest wall time of an example [s], on a busy machine."""
NUMBERS: tuple[Any, ...] = (
    *(math.nan, math.inf, -math.inf, -1, 0, -0.0, 1e-30, 1e300, 2**70, -(2**63), 1e-3, 7, 310.15, 1e9),
)
TEXTS: tuple[str, ...] = (
    *("", " ", "mm", "40 mm", "nerve", "axisymmetric", "mesh", "labels", "../../etc/passwd", "/dev/zero", "\0", "é✂"),
    *("__import__('os').system('x')", "${HOME}", "{0.__class__}", "%s%n", "<script>alert(1)</script>", "x" * 5000),
    *("a\nrm -rf /tmp/none", "it's", '"', "`id`", "$(id)", "a; b"),
)
JUNK: tuple[Any, ...] = (
    *NUMBERS, *TEXTS, True, False, [], {}, [[]], [{}], [1, 2], [0, 0, 0], [0.0, "x", 1], [[0, 0, 0], [0, 0, 1]],
    {"kind": "tube"}, {"kind": ["tube"]}, {"name": 3}, datetime.date(2026, 1, 1), ["isotherm_50C"], "half_space",
    "label", "replay", {"kind": "replay", "file": "x.csv"}, {"kind": "mesh", "file": "m.msh"},
)  # fmt: skip


PIECES = [b"nan", b"-1", b"1e999", b"\0", b"\xff", b"\n", b'"', b"99999999"]


def examples(part: float) -> settings:
    """Return the settings of a test that takes a part of all examples."""
    return settings(
        max_examples=max(10, round(WHOLE * part)),
        derandomize=WHOLE <= 2000,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, item in inner for place in _places(item, (*path, key)))]


@st.composite
def mutated_tables(draw: st.DrawFn, starts: list[dict[str, Any]]) -> dict[str, Any]:
    """Draw tables with one to four changes: a value replaced, removed, renamed, scaled or taken from another place."""
    data = copy.deepcopy(draw(st.sampled_from(starts)))
    for _ in range(draw(st.integers(1, 4))):
        places = _places(data)[1:]
        if not places:
            break
        place = draw(st.sampled_from(places))
        table: Any = data
        for key in place[:-1]:
            table = table[key]
        action = draw(st.integers(0, 9))
        if action == 0:
            del table[place[-1]]
        elif action == 1 and isinstance(table, dict):
            table[f"{str(place[-1])[:-1]}x"] = copy.deepcopy(draw(st.sampled_from(JUNK)))
        elif action == 2 and isinstance(table[place[-1]], int | float):
            table[place[-1]] = table[place[-1]] * draw(st.sampled_from([-1, 1e-3, 0.5, 2, 10, 1e3, 1e6]))
        elif action == 3:
            other: Any = data
            for key in draw(st.sampled_from(places)):
                other = other[key]
            table[place[-1]] = copy.deepcopy(other)
        elif action == 4 and isinstance(table, list):
            table.append(copy.deepcopy(table[place[-1]]))
        elif action == 5:
            table[place[-1]] = draw(st.floats() | st.text(max_size=20) | st.integers())
        else:
            table[place[-1]] = copy.deepcopy(draw(st.sampled_from(JUNK)))
    return data


@st.composite
def mutated_bytes(draw: st.DrawFn, starts: list[bytes]) -> bytes:
    """Draw bytes with some pieces flipped, removed, repeated, replaced, or the end cut off."""
    data = bytearray(draw(st.sampled_from(starts)))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, max(0, len(data) - 1)))
        action = draw(st.integers(0, 5))
        if action == 0:
            data = data[:at]
        elif action == 1:
            del data[at : at + draw(st.integers(1, 40))]
        elif action == 2:
            data[at:at] = data[at : at + draw(st.integers(1, 200))]
        elif action == 3:
            data[at : at + 1] = draw(
                st.sampled_from([b"nan", b"-1", b"1e999", b"\0", b"\xff", b"\n", b'"', b"99999999"])
            )
        elif action == 4:
            data[at:at] = draw(st.binary(max_size=20))
        elif data:
            data[at] ^= 1 << draw(st.integers(0, 7))
    return bytes(data)


def answered(work: Callable[[], Any], *also: type[Exception]) -> Any:
    """Return the result of a reader, None after a message: an error of rfablate (or of `also`) with a text, in time."""
    begin = time.monotonic()
    try:
        return work()
    except (RfablateError, *also) as error:
        text = str(error)
        assert text.strip() and len(text) < 50_000
        assert not isinstance(error, RfablateError) or error.exit_code in (2, 3)
        for fault in getattr(error, "faults", ()):
            assert fault.where and fault.found, fault
        return None
    finally:
        assert time.monotonic() - begin < SECONDS
