"""Observed orders of convergence, printed for the log of a test."""

from __future__ import annotations

from collections.abc import Sequence

from rfablate.evidence.verification_results import observed_orders


def orders(sizes: Sequence[float], errors: Sequence[float]) -> list[float]:
    """Return the observed order between each two successive sizes, and print it (`pytest -rP` shows it)."""
    found = observed_orders(sizes, errors)
    print("errors", *(f"{e:.3g}" for e in errors), " orders", *(f"{o:.2f}" for o in found))
    return found
