"""Initial guess by projection onto previous solutions.

For A x = b, a first guess with the residual r, and fields v_i, the combination closest to x in energy norm solves

    sum over j of (v_i . A v_j) c_j  =  v_i . r

(P. F. Fischer, Comput. Methods Appl. Mech. Eng. 163, 193, 1998). The fields are solutions of previous steps and the
differences between them; different step lengths hardly change their span. The cost is one product with A per field,
independent of the number of solves that use it.
"""

from __future__ import annotations

import numpy as np

from rfablate.arrays import FloatArray
from rfablate.linalg.matrix import Matrix
from rfablate.mesh.domain import Nodes

INDEPENDENT = 1e-12
"""Smallest singular value of the Gram matrix, relative to the largest, that is inverted."""


class ProjectionSpace:
    """A space of fields on the local nodes, zero at fixed nodes, with their Gram matrix in energy."""

    def __init__(self, nodes: Nodes, matrix: Matrix, fields: FloatArray) -> None:
        """Compute the Gram matrix of fields of shape (m, nodes.local). Collective."""
        self._nodes, self._fields = nodes, fields
        m = len(fields)
        products = np.reshape([matrix.times(field) for field in fields], (m, nodes.owned))
        gram = nodes.total_of(*(fields[:, : nodes.owned] @ products.T).flat).reshape(m, m)
        self._scale = 1.0 / np.sqrt(np.maximum(np.diag(gram), np.finfo(float).tiny))
        self._inverse = np.linalg.pinv(gram * np.outer(self._scale, self._scale), rcond=INDEPENDENT, hermitian=True)

    def nearest(self, r: FloatArray) -> FloatArray:
        """Return the projection of the solution for r at the owned nodes, zero at fixed nodes. Collective."""
        if len(self._fields) == 0:
            return np.zeros(self._nodes.local)
        right = self._nodes.total_of(*(self._fields[:, : self._nodes.owned] @ r))
        return np.asarray((self._scale * (self._inverse @ (self._scale * right))) @ self._fields)
