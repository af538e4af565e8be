"""What the electric potential is solved for: the conducting tissue and the electrodes in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rfablate.arrays import FloatArray
from rfablate.fem.electrode_patterns import Role


@dataclass(frozen=True)
class Conductor:
    """The conducting tissue and how its sigma is discretised."""

    cells: npt.NDArray[np.bool_]
    """Cells of the stencil that are tissue."""
    stiffness: FloatArray | None = None
    """g_ij of the stencil for anisotropic sigma (`fem.anisotropy`), the same as set in the pattern."""
    linear_sigma: bool = False
    """Nodal Joule heat for sigma linear in each tetrahedron instead of constant in each cell."""
    flowing: Sequence[str] = ()
    """Regions with a flowing liquid, which removes the Joule heat."""


@dataclass(frozen=True)
class Electrode:
    """One of several electrodes."""

    tip: npt.NDArray[np.bool_]
    """Nodes of this rank on its bare surface."""
    metal: npt.NDArray[np.bool_]
    """Nodes of this rank in its metal."""
    roles: tuple[Role, ...]
    """Its role in each channel."""


@dataclass(frozen=True)
class Electrodes:
    """The electrodes on the surfaces `active` and `return`."""

    several: Sequence[Electrode] = ()
    """The electrodes, if there are several; the surface `active` is the only one otherwise."""
    contact: float = 0.0
    """Resistance of a layer on the active tip [ohm m2]."""


ONE_ELECTRODE = Electrodes()
