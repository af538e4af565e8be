"""Checkpoint files are atomic, two are kept, damage is detected, and their content is restored."""

from __future__ import annotations

import json
import signal
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from rfablate.results import checkpoint as module
from rfablate.results.checkpoint import mesh_digest, newest_checkpoint, read_checkpoint, write_checkpoint
from rfablate.results.field_frames import FrameStore
from rfablate.results.fields_file import FieldsFile, FieldsMesh
from rfablate.results.fields_reader import FieldsReader
from rfablate.results.history_file import HistoryFile
from rfablate.results.state_tree import from_tree, to_tree
from rfablate.signals import SignalListener, SignalRequest

FloatArray = npt.NDArray[np.float64]
T = np.linspace(37.0, 80.0, 500)


def _write(folder: Path, t: float) -> None:
    write_checkpoint(folder, {"t": t}, {"state/T": T + t, "state/fixed": T > 50.0})


# --- files ----------------------------------------------------------------------------------------


def test_a_checkpoint_comes_back_bit_by_bit(tmp_path: Path) -> None:
    memory = {"t": 0.1 + 0.2, "nan": float("nan"), "text": "37 \N{DEGREE SIGN}C", "none": None}
    write_checkpoint(tmp_path, memory, {"state/T": T, "state/fixed": T > 50.0})
    found = read_checkpoint(tmp_path / "checkpoint.h5")
    assert found.memory["t"] == 0.1 + 0.2 and np.isnan(found.memory["nan"]) and found.memory["text"] == memory["text"]
    assert set(found.arrays) == {"state/T", "state/fixed"}
    assert np.array_equal(found.arrays["state/T"], T) and found.arrays["state/fixed"].dtype == bool


def test_the_two_newest_are_kept(tmp_path: Path) -> None:
    for t in (1.0, 2.0, 3.0):
        _write(tmp_path, t)
    assert {file.name for file in tmp_path.iterdir()} == {"checkpoint.h5", "checkpoint.older.h5"}
    assert read_checkpoint(tmp_path / "checkpoint.h5").memory["t"] == 3.0
    assert read_checkpoint(tmp_path / "checkpoint.older.h5").memory["t"] == 2.0


@pytest.mark.parametrize("step", ["sync", "replace"])
def test_a_kill_at_any_point_leaves_a_good_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    """Interrupted before the data are on disk, and before each of the two renamings."""
    for stop in (1, 2):
        folder = tmp_path / f"{step}{stop}"
        folder.mkdir()
        _write(folder, 1.0)
        _write(folder, 2.0)
        with monkeypatch.context() as patch:
            left = [stop]

            def dies(*args: Path, real: object, left: list[int] = left) -> object:
                left[0] -= 1
                if left[0] == 0:
                    raise KeyboardInterrupt
                return real(*args)  # type: ignore[operator]

            if step == "sync":
                real = module.sync
                patch.setattr(module, "sync", lambda path, real=real: dies(path, real=real))
            else:
                real = Path.replace
                patch.setattr(Path, "replace", lambda *args, real=real: dies(*args, real=real))
            with pytest.raises(KeyboardInterrupt):
                _write(folder, 3.0)
        found, told = newest_checkpoint(folder)
        assert told == [] and found is not None
        assert found.memory["t"] in (2.0, 3.0)
        assert np.array_equal(found.arrays["state/T"], T + found.memory["t"])
        _write(folder, 4.0)
        assert read_checkpoint(folder / "checkpoint.h5").memory["t"] == 4.0


@pytest.mark.parametrize("damage", ["a bit of a field", "a bit of the memory", "cut", "empty", "no HDF5"])
def test_a_damaged_newest_one_is_told_and_the_older_read(tmp_path: Path, damage: str) -> None:
    _write(tmp_path, 1.0)
    _write(tmp_path, 2.0)
    newest = tmp_path / "checkpoint.h5"
    content = bytearray(newest.read_bytes())
    match damage:
        case "a bit of a field":
            content[content.index((T + 2.0)[100:110].tobytes())] ^= 1
        case "a bit of the memory":
            content[content.index(json.dumps({"t": 2.0}).encode()) + 6] = ord("3")
        case "cut":
            content = content[: len(content) // 2]
        case "empty":
            content = bytearray()
        case _:
            content = bytearray(b"not a file of this kind")
    newest.write_bytes(content)
    found, told = newest_checkpoint(tmp_path)
    assert found is not None and (found.name, found.memory["t"]) == ("checkpoint.older.h5", 1.0)
    assert len(told) == 1 and told[0].startswith("checkpoint.h5 cannot be used (damaged")


def test_any_damaged_byte_is_noticed(tmp_path: Path) -> None:
    """HDF5 crashes on some of these files."""
    _write(tmp_path, 1.0)
    path = tmp_path / "checkpoint.h5"
    good = path.read_bytes()
    for place in [*np.random.default_rng(3).integers(0, len(good), 300), len(good) - 1]:
        content = bytearray(good)
        content[place] ^= 0xFF
        path.write_bytes(content)
        with pytest.raises(ValueError, match="damaged"):
            read_checkpoint(path)
    path.write_bytes(good + b"x")
    with pytest.raises(ValueError, match="damaged"):
        read_checkpoint(path)


def test_other_tools_read_it_as_hdf5(tmp_path: Path) -> None:
    import h5py

    _write(tmp_path, 1.0)
    with h5py.File(tmp_path / "checkpoint.h5") as file:
        assert np.array_equal(file["state/T"][:], T + 1.0)


def test_one_of_another_format_is_told_from_a_damaged_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FORMAT", "rfablate-checkpoint-9")
    _write(tmp_path, 1.0)
    monkeypatch.undo()
    with pytest.raises(ValueError, match="its format is rfablate-checkpoint-9, expected rfablate-checkpoint-2"):
        read_checkpoint(tmp_path / "checkpoint.h5")


def test_where_there_is_none_nothing_is_told(tmp_path: Path) -> None:
    assert newest_checkpoint(tmp_path) == (None, [])


def test_the_hash_of_a_mesh_tells_meshes_apart() -> None:
    points, cells, region = np.zeros((4, 3)), np.array([[0, 1, 2, 3]]), np.array([1])
    one = mesh_digest(points, cells, region, {1: "liver"})
    assert one == mesh_digest(points, cells.astype(np.int32), region.astype(np.int32), {1: "liver"})
    moved = points.copy()
    moved[2, 1] = 1e-12
    others = [
        mesh_digest(moved, cells, region, {1: "liver"}),
        mesh_digest(points, cells[:, [0, 1, 3, 2]], region, {1: "liver"}),
        mesh_digest(points, cells, region + 1, {1: "liver"}),
        mesh_digest(points, cells, region, {1: "fat"}),
    ]
    assert len({one, *others}) == 5


# --- content ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Inner:
    level: FloatArray
    count: int


@dataclass
class Outer:
    t: float
    name: str
    on: bool
    past: list[tuple[float, FloatArray]]
    pair: tuple[FloatArray, FloatArray] | None
    missing: Inner | None
    inner: Inner
    series: tuple[float, ...]
    by_name: dict[str, float]


def test_a_value_is_put_together_as_it_was() -> None:
    a, b = np.arange(3.0), np.arange(4.0)
    value = Outer(1.5, "x", True, [(0.1, a), (0.2, b)], (a, b), None, Inner(a, np.int64(3)), (1.0, np.float64(2.0)), {})
    tree, arrays = to_tree(value)
    assert len(arrays) == 2, "an array that stands in two places is kept once"
    back = from_tree(Outer, json.loads(json.dumps(tree)), arrays)
    assert back.past[0][1] is back.inner.level is a and back.pair is not None and back.pair[1] is b
    assert (back.t, back.name, back.on, back.missing, back.series, back.by_name) == (
        1.5,
        "x",
        True,
        None,
        (1.0, 2.0),
        {},
    )
    assert back.inner.count == 3 and isinstance(back.past[0], tuple)


def test_what_cannot_be_kept_is_refused_by_its_place() -> None:
    with pytest.raises(TypeError, match="inner/1: a set"):
        to_tree({"inner": [1.0, {2.0}]})


def test_a_tree_of_another_version_is_refused() -> None:
    tree, arrays = to_tree(Inner(T, 1))
    del tree["count"]
    with pytest.raises(KeyError, match="count"):
        from_tree(Inner, tree, arrays)
    with pytest.raises(TypeError, match="expected a int"):
        from_tree(Inner, {**tree, "count": "one"}, arrays)


# --- other files ------------------------------------------------------------------------


def test_a_history_goes_on_after_the_rows_it_keeps(tmp_path: Path) -> None:
    path, whole = tmp_path / "history.csv", tmp_path / "whole.csv"
    rows = [{"time_s": 0.1 * n, "power_W": None if n == 0 else 2.0 * n} for n in range(6)]
    kept = 0
    for file, size in ((HistoryFile(whole), 6), (HistoryFile(path), 5)):
        for number, row in enumerate(rows[:size]):
            file.append(row)
            kept = file.size() if number == 2 else kept
        file.close()
    with path.open("a") as torn:
        torn.write("0.5,1")
    again = HistoryFile(path, kept)
    for row in rows[3:]:
        again.append(row)
    again.close()
    assert path.read_bytes() == whole.read_bytes()


def test_frames_go_on_after_those_of_the_checkpoint(tmp_path: Path) -> None:
    """Later entries and an incomplete one are removed."""
    points, cells, region = np.eye(4, 3), np.array([[0, 1, 2, 3]]), np.array([1])
    frames = FrameStore(tmp_path / "frames")
    for t in (0.0, 2.5, 10.0, 12.5):
        frames.keep(t, {"T": np.full(4, t, dtype=np.float32)}, {"q": np.full(1, t, dtype=np.float32)})
    (tmp_path / "frames" / "part").write_bytes(b"half")
    with FieldsFile(tmp_path / "fields.vtkhdf", FieldsMesh(points, cells, region, {1: "liver"})) as fields:
        for frame in FrameStore(tmp_path / "frames").take_up({0.0, 2.5, 10.0}):
            fields.append(*frame)
    with FieldsReader(tmp_path / "fields.vtkhdf") as found:
        assert found.times_s.tolist() == [0.0, 2.5, 10.0]
        assert [found.point_data("T", n)[0] for n in range(3)] == [0.0, 2.5, 10.0]
    assert sorted(file.name for file in (tmp_path / "frames").iterdir()) == ["0.0.npz", "10.0.npz", "2.5.npz"]
    frames.remove()
    assert not (tmp_path / "frames").exists()


@pytest.mark.parametrize("inherited", [signal.default_int_handler, signal.SIG_IGN, signal.SIG_DFL])
def test_signals_are_remembered_inside_and_left_alone_outside(
    inherited: signal.Handlers, request: pytest.FixtureRequest
) -> None:
    """SIGINT is ignored in background jobs of a shell; a run handles it there too."""
    request.addfinalizer(partial(signal.signal, signal.SIGINT, signal.getsignal(signal.SIGINT)))
    signal.signal(signal.SIGINT, inherited)
    before = [signal.getsignal(number) for number in (signal.SIGUSR1, signal.SIGTERM, signal.SIGINT)]
    with SignalListener() as requests:
        assert requests.take() is SignalRequest.NOTHING
        signal.raise_signal(signal.SIGUSR1)
        assert requests.take() is SignalRequest.CHECKPOINT and requests.take() is SignalRequest.NOTHING
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGUSR1)
        assert requests.take() is SignalRequest.STOP
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):  # a second signal ends the run immediately
            signal.raise_signal(signal.SIGINT)
    assert [signal.getsignal(number) for number in (signal.SIGUSR1, signal.SIGTERM, signal.SIGINT)] == before
