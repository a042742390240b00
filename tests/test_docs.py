"""The pages of the docs folder are true: snippets print what they say, commands are understood, pages are there."""

import doctest
import re
import shlex
from pathlib import Path

import pytest

import deepgen
import pgm
from deepgen.cli.run import run

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


def test_every_recipe_has_a_page_that_the_index_names() -> None:
    index = (DOCS / "families" / "README.md").read_text(encoding="utf-8")
    rows = [line.split("|")[1:3] for line in index.splitlines() if line.startswith("| `")]
    listed = {
        name: re.findall(r"\((\S+\.md)\)", page) for names, page in rows for name in re.findall(r"`(\w+)`", names)
    }
    assert set(listed) == set(deepgen.RECIPES)
    assert [page for pages in listed.values() for page in pages if not (DOCS / "families" / page).exists()] == []


COMMAND = re.compile(r"(?:`|\$ )(deepgen train [a-z][^`\n]*)")
TRAINING = [
    (page, each)
    for page in PAGES
    for each in COMMAND.findall(page.read_text(encoding="utf-8"))
    if not each.endswith("--help")
]


@pytest.mark.parametrize(
    ("page", "command"), TRAINING, ids=[f"{page.stem}-{n}" for n, (page, _) in enumerate(TRAINING)]
)
def test_commands_of_pages_are_understood(page: Path, command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def train(recipe: deepgen.Recipe, out: Path, **options: object) -> None:
        asked.append(recipe)
        raise deepgen.DivergenceError("understood")

    monkeypatch.setattr("deepgen.runs.train", train)
    assert run(shlex.split(command)[1:]) == 2
    assert len(asked) == 1, f"{page.name}: {command}"
