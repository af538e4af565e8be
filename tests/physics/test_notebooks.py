"""The notebooks run completely in a Jupyter kernel."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "docs" / "notebooks").glob("*.ipynb"))


@pytest.mark.slow
@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs(notebook: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a copy of the repository's folders, so that its runs do not change the repository, where Jupyter starts it."""
    nbclient, nbformat = pytest.importorskip("nbclient"), pytest.importorskip("nbformat")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]))
    monkeypatch.setenv("JUPYTER_ALLOW_INSECURE_WRITES", "1")
    (tmp_path / "cases").symlink_to(ROOT / "cases")
    place = tmp_path / "docs" / "notebooks"
    place.mkdir(parents=True)
    book = nbformat.read(notebook, as_version=4)
    nbclient.NotebookClient(book, timeout=280, resources={"metadata": {"path": str(place)}}).execute()
    outputs = [output for cell in book.cells if cell.cell_type == "code" for output in cell.outputs]
    assert any("image/png" in output.get("data", {}) for output in outputs)
    assert not any(output.get("output_type") == "error" for output in outputs)
    assert all(cell.outputs == [] for cell in nbformat.read(notebook, as_version=4).cells if cell.cell_type == "code")
