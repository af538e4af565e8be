"""fields.vtkhdf: written data are read back by VTK, PyVista and the package's reader."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from rfablate.results.fields_file import FieldsFile, FieldsMesh
from rfablate.results.fields_reader import FieldsReader

POINTS_M = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 1]]) * 1e-3
TETRAHEDRA = np.array([[0, 1, 2, 3], [1, 2, 3, 4]])
TRIANGLES = np.array([[0, 1, 2], [1, 2, 3]])
NAMES = {3: "domain", 8: "motor_root", 12: "cannula"}
TIMES = (0.0, 2.5, 7.0)


def nodal(frame: int) -> np.ndarray:
    return np.arange(5.0) + 10 * frame


def write(path: Path, cells: np.ndarray = TETRAHEDRA, axisymmetric: bool = False) -> Path:
    with FieldsFile(path, FieldsMesh(POINTS_M, cells, [3, 8], NAMES, axisymmetric=axisymmetric)) as file:
        for frame, time in enumerate(TIMES):
            point_data = {"temperature_degC": nodal(frame), "omega": nodal(frame) ** 2}
            file.append(time, point_data, {"joule_W_per_m3": [frame, frame + 0.5]})
    return path


def test_vtk_reads_every_time_step(tmp_path: Path) -> None:
    pyvista = pytest.importorskip("pyvista")
    from vtkmodules.vtkCommonExecutionModel import vtkStreamingDemandDrivenPipeline
    from vtkmodules.vtkIOHDF import vtkHDFReader

    reader = vtkHDFReader()
    reader.SetFileName(str(write(tmp_path / "fields.vtkhdf")))
    reader.UpdateInformation()
    times = reader.GetOutputInformation(0).Get(vtkStreamingDemandDrivenPipeline.TIME_STEPS())
    assert times == TIMES
    for frame, time in enumerate(TIMES):
        reader.UpdateTimeStep(time)
        grid = pyvista.wrap(reader.GetOutput())
        assert grid.point_data["temperature_degC"].tolist() == nodal(frame).tolist()
        assert grid.point_data["omega"].tolist() == (nodal(frame) ** 2).tolist()
        assert grid.cell_data["joule_W_per_m3"].tolist() == [frame, frame + 0.5]
        assert grid.cell_data["region"].tolist() == [3, 8]
        assert grid.field_data["region_tags"].tolist() == [3, 8, 12]
        assert list(grid.field_data["region_names"]) == ["domain", "motor_root", "cannula"]
        assert list(grid.field_data["length_unit"]) == ["mm"]
        assert np.allclose(grid.points, POINTS_M * 1e3)
        assert grid.n_cells == 2


@pytest.mark.parametrize(("cells", "kind"), [(TETRAHEDRA, 10), (TRIANGLES, 5)])
def test_pyvista_opens_the_file(tmp_path: Path, cells: np.ndarray, kind: int) -> None:
    pyvista = pytest.importorskip("pyvista")
    grid = pyvista.read(write(tmp_path / "fields.vtkhdf", cells))
    assert grid.celltypes.tolist() == [kind, kind]
    assert grid.point_data["temperature_degC"].tolist() == nodal(0).tolist()


def test_our_reader_gives_back_mesh_names_and_frames(tmp_path: Path) -> None:
    with FieldsReader(write(tmp_path / "fields.vtkhdf")) as fields:
        assert fields.times_s.tolist() == list(TIMES)
        assert fields.region_names == NAMES
        assert fields.cells.tolist() == TETRAHEDRA.tolist()
        assert fields.point_names() == ("omega", "temperature_degC")
        for frame in range(3):
            assert fields.point_data("temperature_degC", frame).tolist() == nodal(frame).tolist()
            assert fields.cell_data("joule_W_per_m3", frame).tolist() == [frame, frame + 0.5]
        assert fields.point_data("temperature_degC").tolist() == nodal(2).tolist()
        assert fields.cell_data("region", 1).tolist() == [3, 8]
        with pytest.raises(IndexError, match="frame 3 of 3"):
            fields.point_data("omega", 3)


def test_half_plane_lies_in_x_and_z(tmp_path: Path) -> None:
    with FieldsFile(
        tmp_path / "f.vtkhdf", FieldsMesh(POINTS_M[:, [0, 2]], TRIANGLES, [3, 3], NAMES, axisymmetric=True)
    ) as file:
        file.append(0.0, {"omega": nodal(0)}, {})
    with FieldsReader(tmp_path / "f.vtkhdf") as fields:
        assert fields.axisymmetric
        assert np.allclose(fields.points_mm, POINTS_M[:, [0, 2, 2]] * 1e3 * (1, 0, 1))


def test_geometry_is_stored_once(tmp_path: Path) -> None:
    with h5py.File(write(tmp_path / "fields.vtkhdf")) as file:
        steps = file["VTKHDF/Steps"]
        assert file["VTKHDF/Points"].shape == (5, 3)
        assert file["VTKHDF/CellData/region"].shape == (2,)
        assert file["VTKHDF/PointData/omega"].dtype == np.float32
        for name in ("PointOffsets", "CellOffsets", "ConnectivityIdOffsets", "CellDataOffsets/region"):
            assert not np.any(steps[name][:])


def test_the_name_appears_when_the_file_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "fields.vtkhdf"
    file = FieldsFile(path, FieldsMesh(POINTS_M, TETRAHEDRA, [3, 8], NAMES))
    file.append(0.0, {"omega": nodal(0)}, {})
    assert not path.exists()
    file.close()
    assert [entry.name for entry in tmp_path.iterdir()] == ["fields.vtkhdf"]
    file.close()
    with pytest.raises(ValueError, match="is closed"):
        file.append(1.0, {"omega": nodal(1)}, {})


def test_frames_before_a_failure_stay(tmp_path: Path) -> None:
    path = tmp_path / "fields.vtkhdf"
    with (
        pytest.raises(RuntimeError, match="solver"),
        FieldsFile(path, FieldsMesh(POINTS_M, TETRAHEDRA, [3, 8], NAMES)) as file,
    ):
        file.append(0.0, {"omega": nodal(0)}, {})
        file.append(1.0, {"omega": nodal(1)}, {})
        raise RuntimeError("solver")
    with FieldsReader(path) as fields:
        assert fields.times_s.tolist() == [0.0, 1.0]
        assert fields.point_data("omega").tolist() == nodal(1).tolist()


def test_a_refused_frame_leaves_the_file_good(tmp_path: Path) -> None:
    path = tmp_path / "fields.vtkhdf"
    with FieldsFile(path, FieldsMesh(POINTS_M, TETRAHEDRA, [3, 8], NAMES)) as file:
        file.append(1.0, {"omega": nodal(0)}, {"joule_W_per_m3": [0, 0]})
        for time, points, cells, reason in (
            (0.5, {"omega": nodal(1)}, {"joule_W_per_m3": [0, 0]}, "must not decrease"),
            (float("nan"), {"omega": nodal(1)}, {"joule_W_per_m3": [0, 0]}, "must be finite"),
            (2.0, {"omega": nodal(1)}, {}, "the first frame"),
            (2.0, {"omega": nodal(1)[:4]}, {"joule_W_per_m3": [0, 0]}, r"expected \(5,\)"),
        ):
            with pytest.raises(ValueError, match=reason):
                file.append(time, points, cells)
        file.append(2.0, {"omega": nodal(3)}, {"joule_W_per_m3": [1, 1]})
    with FieldsReader(path) as fields:
        assert fields.times_s.tolist() == [1.0, 2.0]
        assert fields.point_data("omega").tolist() == nodal(3).tolist()


def test_a_file_without_frames_is_a_mesh(tmp_path: Path) -> None:
    pyvista = pytest.importorskip("pyvista")
    FieldsFile(tmp_path / "fields.vtkhdf", FieldsMesh(POINTS_M, TETRAHEDRA, [3, 8], NAMES)).close()
    assert pyvista.read(tmp_path / "fields.vtkhdf").cell_data["region"].tolist() == [3, 8]
    with FieldsReader(tmp_path / "fields.vtkhdf") as fields:
        assert len(fields.times_s) == 0


@pytest.mark.parametrize(
    ("points", "cells", "region", "reason"),
    [
        (POINTS_M, TETRAHEDRA[:, :2], [3, 8], "tetrahedra or"),
        (POINTS_M, TETRAHEDRA + 1, [3, 8], "node numbers 1 to 5, expected 0 to 4"),
        (POINTS_M, TETRAHEDRA, [3], "one tag for each cell"),
        (POINTS_M, TETRAHEDRA, [3, 99], r"tags \[99\] have no name"),
        (POINTS_M[:, :1], TETRAHEDRA, [3, 8], "points have shape"),
    ],
)
def test_a_wrong_mesh_is_refused(
    tmp_path: Path, points: np.ndarray, cells: np.ndarray, region: list[int], reason: str
) -> None:
    with pytest.raises(ValueError, match=reason):
        FieldsFile(tmp_path / "fields.vtkhdf", FieldsMesh(points, cells, region, NAMES))
    assert list(tmp_path.iterdir()) == []


def test_a_foreign_file_is_named(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "other.vtkhdf", "w") as file:
        file.create_group("VTKHDF")
    with pytest.raises(ValueError, match="other.vtkhdf is not a fields file"):
        FieldsReader(tmp_path / "other.vtkhdf")


def test_numbers_beyond_float32_stay_finite(tmp_path: Path) -> None:
    with FieldsFile(tmp_path / "f.vtkhdf", FieldsMesh(POINTS_M, TETRAHEDRA, [3, 8], NAMES)) as file:
        file.append(0.0, {"cem43_min": [0.0, 1.0, 1e40, 1e300, 2.0]}, {})
    with FieldsReader(tmp_path / "f.vtkhdf") as fields:
        assert np.isfinite(fields.point_data("cem43_min")).all()
