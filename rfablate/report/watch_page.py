"""The page of `rfablate watch`: card and report of a watched case, which reload by themselves.

The page is a local file. Twice a second it loads `state.js`, which calls its function `show` with the state.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

from rfablate.files import write_text
from rfablate.report.page_templates import render

PAGE = "watch.html"


class WatchPage:
    """The files of the page in a directory."""

    def __init__(self, directory: Path, title: str) -> None:
        """Write the page. The report of an earlier session stays until the first run has ended."""
        self._directory, self._reports = directory, 0
        directory.mkdir(parents=True, exist_ok=True)
        write_text(directory / PAGE, str(render(PAGE, title=title)))
        self.show("waiting for the first run", "")

    @property
    def path(self) -> Path:
        """The file to open in a browser."""
        return self._directory.resolve() / PAGE

    def show(self, status: str, card: str) -> None:
        """Show a line of status and a lesion card."""
        state = json.dumps({"status": status, "card": card, "report": self._reports})
        write_text(self._directory / "state.js", f"show({state});\n")

    def take_report(self, run: Path) -> None:
        """Show the report of a finished run from the next `show` on; keep the earlier one where it has none."""
        if not (run / "report.html").is_file():
            return
        part = self._directory / "report.html.part"
        shutil.copyfile(run / "report.html", part)
        os.replace(part, self._directory / "report.html")
        self._reports += 1
