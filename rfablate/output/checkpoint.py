"""checkpoint.h5: the last good state, in the input mesh's order, for any number of ranks to read. Root only."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt


def write_checkpoint(path: Path, fields: Mapping[str, npt.NDArray[np.float64]], memory: Mapping[str, object]) -> None:
    """Write nodal fields and the small state (JSON) beside `path`, then rename: the file is whole or not there."""
    import h5py

    part = path.with_name(path.name + ".part")
    with h5py.File(part, "w") as file:
        for name, values in fields.items():
            file.create_dataset(name, data=values)
        file.attrs["memory"] = json.dumps(memory)
        file.attrs["format"] = "rfablate-checkpoint-1"
    part.replace(path)
