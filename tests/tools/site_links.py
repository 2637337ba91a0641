"""Check a built site, its links and its search: ``python tests/tools/site_links.py FOLDER``; ``tox -e docs``."""

from __future__ import annotations

import json
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

# What newcomers search for, and the page that the search has to find first. It lists main entries of the index, which a
# page has by "{index} ! ...", before all other results.
SEARCHES = {
    "memory leak": "recipes",
    "notebook": "recipes",
    "uvicorn": "services",
    "flask": "services",
    "dask": "services",
    "container": "services",
    "cgroup": "recipes",
    "limit memory": "recipes",
    "peak memory of child": "children",
    "fish": "command",
    "kill": "command",
    "uss": "from-psutil",
    "process tree": "trees",
    "memory of a process tree": "trees",
}


class Page(HTMLParser):
    """The anchors of a page, and the links on it."""

    def __init__(self, path: Path) -> None:
        """Read a page."""
        super().__init__()
        self.anchors = {""}
        self.links: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what a tag links to and how it can be linked to."""
        del tag
        for name, value in attrs:
            if name == "id" and value:
                self.anchors.add(value)
            elif name in {"href", "src"} and value:
                self.links.append(value)


def broken(folder: Path) -> list[str]:
    """Return the links to files and anchors that do not exist."""
    pages = {path: Page(path) for path in sorted(folder.rglob("*.html"))}
    found = []
    for path, page in pages.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if target.is_dir():
                target /= "index.html"
            known = pages[target].anchors if target in pages else {"", parts.fragment} if target.exists() else set()
            if unquote(parts.fragment) not in known:
                found.append(f"{path.relative_to(folder)}: {link}")
    return found


def not_found(folder: Path) -> list[str]:
    """Return the words of ``SEARCHES`` for which the search does not list the page first."""
    text = (folder / "searchindex.js").read_text(encoding="utf-8")
    index = json.loads(text[text.index("(") + 1 : text.rindex(")")])
    names = {
        words: [index["docnames"][number] for number, _, is_main in index["indexentries"].get(words, []) if is_main]
        for words in SEARCHES
    }
    return [f"{words}: {names[words]}" for words, page in SEARCHES.items() if names[words] != [page]]


def main() -> None:
    """Check the site in the folder that is named."""
    folder = Path(sys.argv[1]).resolve()
    if not (folder / "index.html").exists():
        sys.exit(f"there is no site in {folder}")
    if found := broken(folder):
        sys.exit("\n".join(["links to nothing:", *found]))
    if found := not_found(folder):
        sys.exit("\n".join(["not found first by the search:", *found]))


if __name__ == "__main__":
    main()
