"""Writer of summary.json. It is written last and atomically, so that its existence means that the run has ended."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rfablate.files import write_text


def write_summary(path: Path, summary: Mapping[str, Any]) -> None:
    """Write the summary atomically; non-finite numbers become null. Root only."""
    write_text(path, json.dumps(_finite(summary), indent=1, ensure_ascii=False) + "\n")


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _finite(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(entry) for entry in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
