"""Checks the built site: every internal link, picture and anchor exists, and no page loads anything from another host.

python -m docs.site_check site
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

FETCHES = {"script": "src", "img": "src", "iframe": "src", "source": "src", "object": "data"}
"""Elements that a browser loads automatically; also `link`, except links to related pages."""
NO_FETCH = {"canonical", "prev", "next", "alternate"}


class Page(HTMLParser):
    """The links, fetched resources and anchors of a page."""

    def __init__(self, text: str) -> None:
        """Parse the text of a page."""
        super().__init__()
        self.links: list[str] = []
        self.fetched: list[str] = []
        self.anchors: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Collect an element's addresses and names."""
        given = {name: value or "" for name, value in attrs}
        self.anchors |= {given[name] for name in ("id", "name") if given.get(name)}
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        if tag == "link" and given.get("rel") not in NO_FETCH:
            self.fetched.append(given.get("href", ""))
        if given.get(FETCHES.get(tag, "")):
            self.fetched.append(given[FETCHES[tag]])


def problems(site: Path) -> Iterator[str]:
    """Yield the problems of the built site, one line each."""
    pages = {file: Page(file.read_text(encoding="utf-8")) for file in sorted(site.rglob("*.html"))}
    if not pages:
        yield f"{site}: no pages"
    for file, page in pages.items():
        if file.name == "404.html":  # its addresses are those of a server's root
            continue
        where = file.relative_to(site).as_posix()
        for address in page.fetched:
            parts = urlsplit(address)
            if parts.scheme not in ("", "data") or parts.netloc:
                yield f"{where}: fetches {address} from another host"
            elif parts.scheme == "" and not (file.parent / unquote(parts.path)).is_file():
                yield f"{where}: fetches {address}, which does not exist"
        for address in page.links:
            parts = urlsplit(address)
            if parts.scheme or parts.netloc:
                continue
            target = (file.parent / unquote(parts.path)).resolve() if parts.path else file.resolve()
            target = target / "index.html" if target.is_dir() else target
            if not target.is_file():
                yield f"{where}: links to {address}, which does not exist"
            elif parts.fragment and target.suffix == ".html":
                there = pages[site.resolve() / target.relative_to(site.resolve())]
                if unquote(parts.fragment) not in there.anchors and parts.fragment != "__skip":
                    yield f"{where}: links to {address}, which has no such anchor"


def main() -> int:
    """Print the problems of the site in the folder given; return 1 if there are any."""
    site = Path(sys.argv[1]).resolve()
    found = list(problems(site))
    for line in found:
        print(line, file=sys.stderr)
    print(f"{site}: {sum(1 for _ in site.rglob('*.html'))} pages, {len(found)} problems")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
