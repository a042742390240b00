"""Every example runs as a reader would run it, in its short form, and is short enough to read."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_example_runs_and_says_something(
    path: Path, program: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert program(path, "--smoke").strip()


def test_an_example_runs_by_itself(tmp_path: Path) -> None:
    """In a process of its own, where nothing has been imported for it."""
    command = [sys.executable, "-W", "error", str(ROOT / "examples" / "sprinkler.py"), "--smoke"]
    scratch = {**os.environ, "TMPDIR": str(tmp_path)}
    done = subprocess.run(command, cwd=tmp_path, env=scratch, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_example_is_under_a_hundred_lines(path: Path) -> None:
    assert len(path.read_text().splitlines()) < 100
