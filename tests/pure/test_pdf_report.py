"""The report as PDF: A4 pages with the content of the page, nothing read from outside it, clear messages."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import zlib
from pathlib import Path

import pytest

from rfablate.cli.main import main
from rfablate.report import pdf_report
from tests.pure.test_report import make_run

pytest.importorskip("weasyprint", exc_type=(ImportError, OSError))  # type: ignore[arg-type]
A4_PT = (595, 842)


def _pages(file: Path) -> list[tuple[int, int]]:
    """Return the size of each page [pt]."""
    text = b""
    for packed in re.findall(rb"stream\r?\n(.*?)endstream", file.read_bytes(), re.DOTALL):
        try:
            text += zlib.decompress(packed)
        except zlib.error:
            continue
    boxes = re.findall(rb"/MediaBox ?\[([\d. ]+)\]", text)
    return [(round(float(box.split()[2])), round(float(box.split()[3]))) for box in boxes]


def test_a_run_is_a_few_pages_of_a4_with_the_text_of_its_report(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", axisymmetric=True, n=9, frames=2)
    target = tmp_path / "run.pdf"
    assert main(["report", str(run), "--pdf", str(target)]) == 0
    pages = _pages(target)
    assert 2 <= len(pages) <= 12 and set(pages) == {A4_PT}
    assert not (tmp_path / "run" / "report.html").exists() and not (tmp_path / "run.pdf.part").exists()
    if shutil.which("pdftotext"):
        text = subprocess.run(["pdftotext", "-layout", target, "-"], capture_output=True, text=True, check=True).stdout
        for part in ("Targets and limits", "Over time", "Energy and generator"):
            assert part in text
        assert re.search(rf"\b{len(pages)} ?/ ?{len(pages)}\b", text)
        assert text.count("Research tool, not a medical device") >= len(pages)
        assert "The complete case is case.toml" in text and "[generator]" not in text


def test_nothing_outside_the_page_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from PIL import Image

    Image.new("RGB", (4, 4), "red").save(tmp_path / "secret.png")
    place = (tmp_path / "secret.png").as_uri()
    page = (
        f'<html><style>p{{background:url({place})}}</style><img src="{place}"><img src="http://127.0.0.1:9/x.png"><p>a'
    )
    monkeypatch.setattr(pdf_report, "printed_page", lambda _: page)
    file = pdf_report.write_pdf(tmp_path, tmp_path / "out.pdf")
    assert b"/Subtype /Image" not in file.read_bytes()


@pytest.mark.parametrize("how", ["package", "library"])
def test_a_missing_package_or_library_is_named(
    how: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = make_run(tmp_path / "run", axisymmetric=True, n=9, frames=2)
    if how == "package":
        monkeypatch.setitem(sys.modules, "weasyprint", None)
    else:
        for name in [each for each in sys.modules if each.split(".")[0] == "weasyprint"]:
            monkeypatch.delitem(sys.modules, name)
        folder = tmp_path / "shadow" / "weasyprint"
        folder.mkdir(parents=True)
        (folder / "__init__.py").write_text("raise OSError('cannot load library libpango-1.0-0')")
        monkeypatch.syspath_prepend(str(folder.parent))
    assert main(["report", str(run), "--pdf", str(tmp_path / "out.pdf")]) == 2
    said = capsys.readouterr().err
    assert ("extra report" if how == "package" else "apt-get install libpango-1.0-0") in said
    assert "print report.html from a browser" in said
    assert not (tmp_path / "out.pdf").exists()


def test_a_file_that_cannot_be_written_is_a_fault(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = make_run(tmp_path / "run", axisymmetric=True, n=9, frames=2)
    assert main(["report", str(run), "--pdf", str(tmp_path / "nowhere" / "out.pdf")]) == 2
    assert "nowhere" in capsys.readouterr().err
