"""A run's results in the formats of other programs."""

from __future__ import annotations

from pathlib import Path

from rfablate.errors import CaseError, Fault
from rfablate.results.run_directory import require_finished
from rfablate.results.run_reader import RunData, load_run


def export(
    run: str | Path,
    *,
    labels: str | Path | None = None,
    temperature: str | Path | None = None,
    stl: str | Path | None = None,
    npy: str | Path | None = None,
    dose_volume: str | Path | None = None,
    rule: str | None = None,
    at_s: float | None = None,
    like: str | Path | None = None,
) -> dict[Path, str]:
    """Write the requested files of a finished run; return them with their contents.

    Args:
        run: its directory.
        labels: a file (.nii.gz, .nrrd, .seg.nrrd, .mha) for the lesions as labels on the grid of the label image.
        temperature: a file for the maximum temperature of each voxel [degC], or that at the output time nearest to
            `at_s`.
        stl: a folder for the lesion surfaces, in mm.
        npy: a folder for mesh and fields as NumPy arrays.
        dose_volume: a CSV file for the dose-volume histograms of the structures.
        rule: only this lesion rule; None: all rules of the case.
        at_s: time of the temperature [s].
        like: another image whose grid is used; required where the case has no label image.

    Raises:
        CaseError: no finished run, no file requested, no image, or a file that cannot be written.
    """
    from rfablate.results import dose_volume_export, mesh_export, volume_export

    directory = Path(run)
    require_finished([directory], "export")
    if not (labels or temperature or stl or npy or dose_volume):
        expected = "at least one of --labels FILE, --temperature FILE, --stl DIR, --npy DIR, --dose-volume FILE"
        raise CaseError([Fault(str(directory), "no file to export", expected)], "export")
    data, grid = load_run(directory), None if like is None else Path(like)
    written: dict[Path, str] = {}
    try:
        if labels is not None:
            written |= _write_labels(data, Path(labels), grid, rule)
        if temperature is not None:
            time = volume_export.export_temperature(data, Path(temperature), grid, at_s)
            written[Path(temperature)] = "maximum temperature, degC" if time is None else f"degC at {time:g} s"
        if stl is not None:
            written |= {file: "mm" for file in mesh_export.export_surfaces(data, Path(stl), rule)}
        if dose_volume is not None:
            count = dose_volume_export.export_dose_volume(data, Path(dose_volume))
            written[Path(dose_volume)] = f"dose-volume histograms of {count} structure{'s' if count > 1 else ''}"
        if npy is not None:
            written |= {file: "" for file in mesh_export.export_arrays(data, Path(npy))}
    except (OSError, ValueError) as error:
        where, found = (
            str(getattr(error, "filename", None) or directory),
            getattr(error, "strerror", None) or str(error),
        )
        raise CaseError([Fault(where, found, "a run with fields, and a writable path")], "export") from None
    return written


def _write_labels(data: RunData, file: Path, grid: Path | None, rule: str | None) -> dict[Path, str]:
    """Write the label image, and a file of its names where the image does not contain them."""
    from rfablate.results import volume_export

    numbers = volume_export.export_labels(data, file, grid, rule)
    written = {file: ", ".join(f"{value} {name}" for name, value in numbers.items())}
    if not file.name.lower().endswith(".seg.nrrd"):
        written[volume_export.write_label_names(file, numbers)] = "their names and colours, for ITK-SNAP"
    return written
