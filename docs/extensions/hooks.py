"""What the site needs beyond its theme: pages from outside this folder, the notebook, formulas, tables of options.

Links are written so that they work where the files are read (on GitHub, in an editor); here they become the site's.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib import import_module
from os.path import normpath, relpath
from pathlib import Path, PurePosixPath

from latex2mathml.converter import convert
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page
from nbconvert import MarkdownExporter

from crossdiff.options import option_table

REPO = Path(__file__).resolve().parents[2]
# Files of the repository that are pages of the site.
PAGES = {
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "notebooks/video_to_motion.ipynb": "notebook.md",
    "pretrained/LICENSE.md": "model-licence.md",
    "pretrained/README.md": "shipped-model.md",
}
SOURCES = {page: source for source, page in PAGES.items()}
# The site's name for any other file that a page links to.
FILES = "files"
_LINK = re.compile(r"(?<=\]\()(?![a-z]+:|#|/)([^)\s#]+)")
_FORMULA = re.compile(r'<span class="arithmatex">\\\((.*?)\\\)</span>', re.DOTALL)
# Where a page wants the table of a configuration's options.
_OPTIONS = re.compile(r"<!-- options: (?P<module>crossdiff\.[\w.]+)\.(?P<name>\w+) -->")
_FRONT_MATTER = re.compile(r"\A---\n.*?\n---\n", re.DOTALL)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages from outside, and the files that pages link to."""
    for source, page in PAGES.items():
        text, pictures = _page_of(REPO / source)
        files.append(File.generated(config, page, content=text))
        for name, content in pictures.items():
            files.append(File.generated(config, name, content=content))
    linked = {path for file in files.documentation_pages() for path in _outside(file)}
    for path in sorted(linked - PAGES.keys()):
        files.append(File.generated(config, f"{FILES}/{path}", abs_src_path=str(REPO / path)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Put in tables of options, and point links that leave this folder to their place in the site."""
    here = PurePosixPath(page.file.src_uri).parent

    def placed(match: re.Match[str]) -> str:
        path = _in_repository(page.file, match[1])
        if path is None:
            return match[1]
        return relpath(_place(path), here)

    return _LINK.sub(placed, _OPTIONS.sub(_options, markdown))


def on_page_content(html: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Formulas as MathML, which browsers draw without a script."""
    return _FORMULA.sub(lambda match: convert(_unescaped(match[1])), html)


def _options(match: re.Match[str]) -> str:
    return option_table(getattr(import_module(match["module"]), match["name"]))


def _page_of(path: Path) -> tuple[str, dict[str, bytes]]:
    """Markdown of a file, and the pictures that it shows by name."""
    if path.suffix != ".ipynb":
        return _FRONT_MATTER.sub("", path.read_text(encoding="utf-8")), {}
    text, resources = MarkdownExporter().from_filename(
        str(path), {"unique_key": "img/notebook", "output_files_dir": ""}
    )
    return text, resources["outputs"]


def _outside(file: File) -> Iterator[str]:
    """Files of the repository, from its top, that a page links to and that are not in this folder."""
    for match in _LINK.finditer(file.content_string):
        path = _in_repository(file, match[1])
        if path is not None and not path.startswith("docs/") and (REPO / path).is_file():
            yield path


def _in_repository(file: File, link: str) -> str | None:
    """A link's target from the top of the repository, where the page's source lies in it."""
    source = SOURCES.get(file.src_uri, f"docs/{file.src_uri}")
    path = normpath(PurePosixPath(source).parent / link)
    return path if (REPO / path).is_file() else None


def _place(path: str) -> str:
    """Where a file of the repository is in the site's sources."""
    if path in PAGES:
        return PAGES[path]
    return path.removeprefix("docs/") if path.startswith("docs/") else f"{FILES}/{path}"


def _unescaped(text: str) -> str:
    return text.replace("&amp;", "&").replace("&lt;", "<").replace("&gt;", ">")
