"""Messages, bytes and reductions per step for several rank counts, counted at the MPI calls.

The counts are exact on any machine and for any number of ranks per core. They also show how the iterations and the
coarse levels grow with the rank count, because aggregates do not cross ranks.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from hpc.scaling.launch import Result, probe, table
from hpc.scaling.model import Numbers


def count(mesh: str, ranks: Sequence[int], steps: int, changes: Sequence[str] = ()) -> Iterator[Result]:
    """Yield the probe's results with message counts for each rank count, with changed keys of the case."""
    return (probe(" ".join([mesh, *changes]), n, steps, counted=True) for n in ranks)


def show(runs: Sequence[Result]) -> str:
    """Return a table: counts per step of the rank with the most, and the predicted exchanges and gathers."""
    heads = ["ranks", "rows", "ghosts", "neighbours", "V-cycles", "other its", "level 1", "exchanges", "predicted"]
    rows: list[list[object]] = [
        [*heads, "messages", "kB sent", "reductions", "kB reduced", "gathers", "predicted", "PETSc", "others"]
    ]
    for run in runs:
        share, counts, levels = run["share"], run["counts"], run["potential_levels"]
        numbers = Numbers.of(run, 0.0)
        alone = run["ranks"] == 1
        rows.append(
            [
                run["ranks"], max(share["rows"]), max(share["ghosts"]), max(share["neighbours"]),
                f"{numbers.cycles:.2f}", f"{numbers.diagonal_iterations:.2f}", levels[1] if len(levels) > 1 else "-",
                f"{counts['exchange']['calls']:.2f}", f"{0.0 if alone else numbers.exchanges:.2f}",
                f"{counts['exchange']['messages']:.0f}", f"{counts['exchange']['bytes'] / 1e3:.0f}",
                f"{counts['allreduce']['calls']:.2f}", f"{counts['allreduce']['bytes'] / 1e3:.0f}",
                f"{counts['gather']['calls']:.2f}", f"{0.0 if alone else numbers.gathers:.2f}",
                f"{counts['persistent']['calls']:.2f}",
                f"{counts['point']['calls'] + counts['other']['calls']:.2f}",
            ]
        )  # fmt: skip
    return table(rows)
