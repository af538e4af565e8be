"""The report of a run as a PDF file on A4, from the print form of the page.

The installed package WeasyPrint (extra `report`) lays out the page; it needs no browser. Nothing outside the page is
read.
"""

from __future__ import annotations

import logging
from pathlib import Path

from rfablate.files import written_whole
from rfablate.report.report_page import printed_page

ABSENT = (
    "the PDF requires the package WeasyPrint, which is not installed: install the extra report "
    "(pip install -e '.[report]' in the folder of rfablate), or print report.html from a browser"
)
NO_PANGO = (
    "WeasyPrint cannot load the library Pango (Debian: apt-get install libpango-1.0-0 libpangoft2-1.0-0 "
    "libharfbuzz-subset0 fonts-dejavu-core); or print report.html from a browser"
)
SHEET = """
@page{@bottom-left{content:"rfablate";font:7pt sans-serif;color:#5d6878}
@bottom-right{content:counter(page) " / " counter(pages);font:7pt sans-serif;color:#5d6878}}
.case details,footer{display:none}
.case::after{content:"The complete case is case.toml in the directory of the run.";font-size:8pt;color:#5d6878}
"""
"""Style of the PDF beside the print form of the page: page numbers, no case file."""


def write_pdf(directory: Path, target: Path) -> Path:
    """Write the report of a run directory as a PDF file atomically and return its path. Root only.

    The PDF has the content of report.html without the interactive scene and the text of the case file.

    Raises:
        OSError: WeasyPrint or its library Pango is missing, or the file cannot be written.
    """
    try:
        from weasyprint import CSS, HTML
        from weasyprint.urls import URLFetcher
    except ModuleNotFoundError:
        raise OSError(ABSENT) from None
    except OSError:
        raise OSError(NO_PANGO) from None
    page = printed_page(Path(directory))
    loggers = [logging.getLogger(name) for name in ("weasyprint", "fontTools")]
    levels = [each.level for each in loggers]
    for each in loggers:
        each.setLevel(logging.CRITICAL)  # properties of SVG and of browsers that it does not use
    try:
        drawn = HTML(string=page, url_fetcher=URLFetcher(allowed_protocols=("data",))).write_pdf(
            stylesheets=[CSS(string=SHEET)]
        )
    finally:
        for each, level in zip(loggers, levels, strict=True):
            each.setLevel(level)
    with written_whole(target) as part:
        part.write_bytes(drawn)
    return target
