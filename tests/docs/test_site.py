"""`make docs`: no warnings, everything that a page shows is there, and nothing is fetched when it is read."""

import os
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from processes import PATIENCE

REPO = Path(__file__).resolve().parents[2]
# What a browser loads by itself, by tag and attribute.
LOADED = {("script", "src"), ("img", "src"), ("iframe", "src"), ("link", "href"), ("video", "src"), ("source", "src")}


class References(HTMLParser):
    """What a page refers to, and what of it is loaded with the page."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.all: set[str] = set()
        self.loaded: set[str] = set()
        self.tags: set[str] = set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        for name, value in attrs:
            if name not in ("src", "href") or not value:
                continue
            self.all.add(value)
            if (tag, name) in LOADED:
                self.loaded.add(value)


@pytest.mark.slow
def test_the_site_is_whole_and_needs_no_line(tmp_path):
    pytest.importorskip("mkdocs", reason="the docs extra is not installed")
    subprocess.run(["make", "package"], cwd=REPO, check=True, capture_output=True, timeout=PATIENCE)
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path)]
    env = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=REPO, env=env, capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 0 and not done.stderr, done.stdout + done.stderr

    pages = {path: References(path) for path in tmp_path.rglob("*.html")}
    for path, page in pages.items():
        assert not {url for url in page.loaded if urlsplit(url).scheme in ("http", "https")}, path
        for url in page.all:
            target = urlsplit(url)
            if target.scheme or target.netloc or not target.path:
                continue
            base = tmp_path if target.path.startswith("/") else path.parent
            assert (base / unquote(target.path).lstrip("/")).exists(), f"{path.name}: {url}"
    for sheet in tmp_path.rglob("*.css"):
        assert "url(http" not in sheet.read_text(encoding="utf-8").replace('"', "").replace("'", ""), sheet

    assert "math" in pages[tmp_path / "model.html"].tags
    assert "img" in pages[tmp_path / "notebook.html"].tags
    assert "from_pretrained" in (tmp_path / "api/sampling.html").read_text(encoding="utf-8")
    assert "wild_ratio" in (tmp_path / "api/training.html").read_text(encoding="utf-8")
