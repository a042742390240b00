"""The README is true: its snippets run and print what it says, its commands too, and what it links to exists."""

import doctest
import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pgm.cli.app import app

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
CONSOLE = re.findall(r"```console\n(.*?)```", README, re.DOTALL)
COMMANDS = re.findall(r"\$ pgm (.*)\n((?:(?!\$ ).*\n)*)", "".join(CONSOLE))
LINKS = re.findall(r'\]\(([^)#:]+)\)|src="([^"]+)"', README)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a reader has at hand: the examples, and rows of evidence; files are written here, not into the project."""
    place = tmp_path_factory.mktemp("readme")
    (place / "examples").symlink_to(ROOT / "examples")
    (place / "evidence.csv").write_text("dysp,asia\nyes,\nno,no\n")
    return place


def test_snippets_print_what_the_readme_says(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    plain = re.sub(r"^```.*$", "", README, flags=re.MULTILINE)
    snippets = doctest.DocTestParser().get_doctest(plain, {}, "README.md", "README.md", 0)
    said: list[str] = []
    failed, tried = doctest.DocTestRunner(optionflags=FLAGS).run(snippets, out=said.append)
    assert (failed, tried > 30) == (0, True), "".join(said)


def test_commands_print_what_the_readme_says(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    same, runner = doctest.OutputChecker(), CliRunner()
    done = [(command, expected, runner.invoke(app, shlex.split(command))) for command, expected in COMMANDS]
    assert [command for command, _, result in done if result.exit_code] == []
    assert [r.output for _, expected, r in done if not same.check_output(expected, r.output, FLAGS)] == []


def test_every_command_is_shown() -> None:
    shown = {command.split()[0] for command, _ in COMMANDS} | set(re.findall(r"`pgm (\w+) ", README))
    assert shown == {"info", "query", "mpe", "sample", "plot", "convert", "solve", "fit", "learn"}


@pytest.mark.parametrize("link", sorted({one or other for one, other in LINKS}))
def test_link_leads_somewhere(link: str) -> None:
    assert (ROOT / link).exists()


def test_examples_are_all_named() -> None:
    names = {path.name for path in (ROOT / "examples").glob("*.py")}
    assert names - {"demo.py"} <= set(re.findall(r"\w+\.py", README))


def test_headings_linked_from_the_contents_exist() -> None:
    anchors = {heading.lower().replace(" ", "-") for heading in re.findall(r"^## (.*)$", README, re.MULTILINE)}
    assert set(re.findall(r"\]\(#([^)]+)\)", README)) == anchors
