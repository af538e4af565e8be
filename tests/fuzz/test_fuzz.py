"""Any input gives a result or a located message with exit code 2 or 3: no traceback, no hang, no silent default.

| input                                                              | part of the examples |
|--------------------------------------------------------------------|----------------------|
| case files as tables and as text, tissue files, command-line keys  | 45 %                 |
| study files, site files                                            | 20 %                 |
| device logs, meshes (MSH 2.2, 4.1, VTU), label images              | 25 %                 |
| checkpoints, summaries                                             | 10 %                 |

`make test` has 2,000 examples, the same each time; `make fuzz` has 100,000 at random. A failure prints its input.
"""

from __future__ import annotations

import io
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tomli_w
from hypothesis import given
from hypothesis import strategies as st

from rfablate.case.checks.all_checks import case_warnings
from rfablate.case.describe.case_text import describe_case
from rfablate.case.read.case_file import dump_case, load_case, parse_case, read_case_file
from rfablate.case.tables.device_log import read_log
from rfablate.case.tables.geometry_tables import MeshDomain
from rfablate.case.tables.label_reader import READERS, read_label_image
from rfablate.cluster.slurm import launched, load_site, run_script
from rfablate.mesh.user_mesh import read_mesh
from rfablate.results.checkpoint import NEWEST, newest_checkpoint, write_checkpoint
from rfablate.results.summary_models import EnergyBalance, read_summary
from rfablate.study.study_file import parse_study
from rfablate.study.study_plan import Plan
from rfablate.toml import tomllib
from tests.fuzz.mutations import answered, examples, mutated_bytes, mutated_tables
from tests.phantom import phantom_labels, write_image

ROOT = Path(__file__).parents[2]
CASES = [
    *(ROOT / "tests" / "mpi" / "cases" / f"{name}.toml" for name in ("axisymmetric", "channels", "structures")),
    *(ROOT / "cases" / name / "case.toml" for name in ("trigeminal", "liver_roll_off", "pulsed_drg", "liver_four_arm")),
]
TABLES = [read_case_file(file) for file in CASES]
SMALL = TABLES[0]
STUDIES: list[dict[str, Any]] = [
    {"base": "case.toml", "axes": [{"key": "generator.hold_s", "values": [5.0, 10.0]}]},
    {
        "base": "case.toml", "set": ["generator.ramp_s=2"], "design": {"kind": "latin_hypercube", "samples": 4},
        "axes": [
            {"key": "generator.hold_s", "low": 5.0, "high": 9.0},
            {"key": "generator.target_degC", "low": 60.0, "high": 80.0},
        ],
        "collect": {"responses": ["lesion.isotherm_50C.width_mm"]},
    },
]  # fmt: skip
SITE = {
    "partition": "long", "time": "02:00:00", "mem_per_cpu": "2G", "launcher": "srun -n {ranks}", "tasks": 4,
    "options": ["--exclusive"], "setup": ["module load mpi"],
}  # fmt: skip
LOG = b"time_s,power_W,voltage_V,temperature_degC\n0,1,10,37\n1,2,14,40\n2,2.5,15,45.5\n3,2,14,50\n"
MSH = {
    "m2.msh": b'$MeshFormat\n2.2 0 8\n$EndMeshFormat\n$PhysicalNames\n2\n3 1 "all"\n2 2 "tip"\n$EndPhysicalNames\n'
    b"$Nodes\n5\n1 0 0 0\n2 1 0 0\n3 0 1 0\n4 0 0 1\n5 1 1 1\n$EndNodes\n"
    b"$Elements\n3\n1 4 2 1 1 1 2 3 4\n2 4 2 1 1 2 3 4 5\n3 2 2 2 2 1 2 3\n$EndElements\n",
    "m4.msh": b"$MeshFormat\n4.1 0 8\n$EndMeshFormat\n$Entities\n0 0 1 1\n1 0 0 0 1 1 1 1 2 0\n1 0 0 0 1 1 1 1 1 0\n"
    b"$EndEntities\n$Nodes\n1 4 1 4\n3 1 0 4\n1\n2\n3\n4\n0 0 0\n1 0 0\n0 1 0\n0 0 1\n$EndNodes\n"
    b"$Elements\n2 2 1 2\n2 1 2 1\n1 1 2 3\n3 1 4 1\n2 1 2 3 4\n$EndElements\n",
}


def _plain(data: Any) -> bool:
    """Return whether tables can be written as TOML."""
    try:
        tomli_w.dumps(data)
    except (TypeError, ValueError, AttributeError, UnicodeEncodeError):
        return False
    return True


def _use(case: Any) -> None:
    """Do what `check` does; the case is written and read back."""
    assert not any(isinstance(value, float) and math.isnan(value) for value in case.mesh.model_dump().values())
    describe_case(case)
    case_warnings(case)
    again = parse_case(tomllib.loads(dump_case(case)))
    assert again == case


@given(data=mutated_tables(TABLES))
@examples(0.30)
def test_cases_as_tables(data: dict[str, Any]) -> None:
    case = answered(lambda: parse_case(data, ROOT))
    if case is not None:
        _use(case)


@given(text=mutated_bytes([file.read_bytes() for file in CASES[:3]]))
@examples(0.05)
def test_cases_as_text(tmp_path_factory: pytest.TempPathFactory, text: bytes) -> None:
    file = tmp_path_factory.getbasetemp() / "case.toml"
    file.write_bytes(text)
    case = answered(lambda: load_case(file))
    if case is not None:
        _use(case)


@given(data=mutated_tables([{"tissues": {"muscle": {"base": "muscle", "k_W_per_mK": 0.5, "sigma_S_per_m": 0.4}}}]))
@examples(0.05)
def test_tissue_files(tmp_path_factory: pytest.TempPathFactory, data: dict[str, Any]) -> None:
    if not _plain(data):
        return
    folder = tmp_path_factory.getbasetemp()
    (folder / "mine.toml").write_text(tomli_w.dumps(data), encoding="utf-8", errors="replace")
    case = answered(lambda: parse_case({**SMALL, "tissue_file": "mine.toml"}, folder))
    if case is not None:
        _use(case)


KEYS = ["generator.hold_s", "structures.0.radius_mm", "applicators.spacing_mm", "mesh", "x.y", "", "structures.target"]


@given(key=st.sampled_from(KEYS) | st.text(max_size=12), value=st.text(max_size=20) | st.floats().map(str))
@examples(0.05)
def test_keys_of_the_command_line(key: str, value: str) -> None:
    answered(lambda: load_case(CASES[0], [f"{key}={value}"]))


@given(data=mutated_tables(STUDIES))
@examples(0.12)
def test_studies(tmp_path_factory: pytest.TempPathFactory, data: dict[str, Any]) -> None:
    folder = tmp_path_factory.getbasetemp() / "study"
    folder.mkdir(exist_ok=True)
    if not (folder / "case.toml").exists():
        (folder / "case.toml").write_bytes(CASES[0].read_bytes())
    study = answered(lambda: parse_study(data))
    if study is not None and (study.design.samples or 0) <= 64:
        answered(lambda: Plan(study, folder))


@given(data=mutated_tables([SITE]))
@examples(0.08)
def test_site_files(tmp_path_factory: pytest.TempPathFactory, data: dict[str, Any]) -> None:
    if not _plain(data):
        return
    file = tmp_path_factory.getbasetemp() / "site.toml"
    file.write_text(tomli_w.dumps(data), encoding="utf-8", errors="replace")
    site = answered(lambda: load_site(file))
    if site is not None:
        launched(site.launcher, 2, ["true"])
        text = run_script(Path("/tmp/a b"), site, 2, None)
        assert text.count("#SBATCH") >= 5 and "\0" not in text
        options = text.split("export OMP_NUM_THREADS")[0].splitlines()
        assert all(line.startswith("#") for line in options), options


@given(data=mutated_bytes([LOG]))
@examples(0.10)
def test_device_logs(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    file = tmp_path_factory.getbasetemp() / "log.csv"
    file.write_bytes(data)
    log = answered(lambda: read_log(file), OSError, ValueError)
    if log is not None:
        assert np.isfinite([*log.times, *(x for column in log.columns.values() for x in column)]).all()
        generator = {"kind": "replay", "file": "log.csv"}
        answered(lambda: parse_case({**SMALL, "generator": generator, "output": {}}, file.parent))


def _mesh_domain(file: Path) -> MeshDomain:
    surfaces = [{"tag": 2, "name": "tip", "roles": ["active"]}]
    regions = [{"tag": 1, "name": "all", "tissue": "liver"}]
    return MeshDomain.model_validate(
        {"kind": "mesh", "file": str(file), "length_unit": "mm", "regions": regions, "surfaces": surfaces}
    )


@given(data=mutated_bytes(list(MSH.values())))
@examples(0.10)
def test_meshes_of_gmsh(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    file = tmp_path_factory.getbasetemp() / "m.msh"
    file.write_bytes(data)
    mesh = answered(lambda: read_mesh(_mesh_domain(file)))
    assert mesh is None or np.isfinite(mesh.points).all()


def _vtu() -> bytes:
    import tempfile

    import meshio

    points = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1.0]])
    cells = {"tetra": np.array([[0, 1, 2, 3]]), "triangle": np.array([[0, 1, 2]])}
    with tempfile.TemporaryDirectory() as folder:
        meshio.Mesh(points, cells, cell_data={"cell_tags": [np.array([1]), np.array([2])]}).write(f"{folder}/m.vtu")
        return Path(f"{folder}/m.vtu").read_bytes()


@given(data=mutated_bytes([_vtu()]))
@examples(0.02)
def test_meshes_of_meshio(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    file = tmp_path_factory.getbasetemp() / "m.vtu"
    file.write_bytes(data)
    answered(lambda: read_mesh(_mesh_domain(file)))


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("images")
    found = {}
    for suffix in (".nii", ".nrrd", ".mha"):
        write_image(folder / f"ph{suffix}", phantom_labels()[::4, ::4, ::4])
        found[suffix] = (folder / f"ph{suffix}").read_bytes()
    return found


@given(suffix=st.sampled_from([".nii", ".nrrd", ".mha"]), draw=st.data())
@examples(0.03)
def test_label_images(
    tmp_path_factory: pytest.TempPathFactory, images: dict[str, bytes], suffix: str, draw: st.DataObject
) -> None:
    assert suffix in READERS
    whole = images[suffix]
    head = draw.draw(mutated_bytes([whole[:400]]))
    file = tmp_path_factory.getbasetemp() / f"image{suffix}"
    file.write_bytes(head + whole[400:])
    image = answered(lambda: read_label_image(file, "RAS"))
    assert image is None or np.isfinite(image.origin).all()


def _checkpoint(folder: Path) -> bytes:
    write_checkpoint(folder, {"rfablate": "0.1.0", "state": {"t": 1.0}}, {"state/T": np.arange(20.0)})
    return (folder / NEWEST).read_bytes()


@given(draw=st.data(), sealed=st.booleans())
@examples(0.06)
def test_checkpoints(tmp_path_factory: pytest.TempPathFactory, draw: st.DataObject, sealed: bool) -> None:
    """Also with a checksum that fits the damaged content, as a stranger can write it; read in a child process."""
    import hashlib

    from rfablate.files import TAIL
    from rfablate.isolation import ReaderCrashed, isolated

    folder = tmp_path_factory.getbasetemp() / "checkpoint"
    folder.mkdir(exist_ok=True)
    whole = _checkpoint(folder)
    data = draw.draw(mutated_bytes([whole[: -len(TAIL) - 64] if sealed else whole]))
    if sealed:
        data += TAIL + hashlib.sha256(data).hexdigest().encode()
    (folder / NEWEST).write_bytes(data)
    if sealed:
        found = answered(lambda: isolated(lambda: newest_checkpoint(folder), seconds=20), ReaderCrashed)
    else:
        found = newest_checkpoint(folder)
    if found is not None:
        checkpoint, told = found
        assert checkpoint is not None or told


SUMMARY: dict[str, Any] = {
    "title": "x", "status": "completed", "reason": "y", "simulated_s": 1.0, "lesion": {}, "structures": {},
    "energy": dict.fromkeys(EnergyBalance.model_fields, 1.0),
    "electric": dict.fromkeys("voltage_V current_A power_W impedance_ohm peak_power_W".split(), 1.0),
    "numerics": {"error_bar": {}}, "warnings": [],
}  # fmt: skip


@given(data=mutated_tables([SUMMARY]))
@examples(0.04)
def test_summaries(tmp_path_factory: pytest.TempPathFactory, data: dict[str, Any]) -> None:
    folder = tmp_path_factory.getbasetemp() / "summary"
    folder.mkdir(exist_ok=True)
    out = io.StringIO()
    json.dump(data, out, default=str)
    (folder / "summary.json").write_text(out.getvalue(), encoding="utf-8", errors="replace")
    answered(lambda: read_summary(folder))
