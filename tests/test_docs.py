"""The pages of the docs folder are true: their snippets print what they say, and every engine has its page."""

import doctest
import re
from pathlib import Path

import pytest

import pgm

DOCS = Path(__file__).parent.parent / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_snippets_print_what_the_page_says(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    plain = re.sub(r"^```.*$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    snippets = doctest.DocTestParser().get_doctest(plain, {}, page.name, str(page), 0)
    said: list[str] = []
    failed, tried = doctest.DocTestRunner(optionflags=FLAGS).run(snippets, out=said.append)
    assert (failed, tried > 0) == (0, page.stem != "README"), "".join(said)


def test_every_engine_has_a_page_that_the_index_names() -> None:
    index = (DOCS / "engines" / "README.md").read_text(encoding="utf-8")
    listed = dict(re.findall(r"\| \[`(\w+)`\]\((\w+\.md)\)", index))
    engines = {name for module, names in pgm._HOME.items() if module.startswith("engines.") for name in names.split()}
    assert set(listed) == engines | {"ParticleFilter"}
    assert [page for page in listed.values() if not (DOCS / "engines" / page).exists()] == []
