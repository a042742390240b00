"""Long runs: what Ctrl-C leaves behind."""

import pytest

from pgm.engines.progress import Watched


def run(steps: Watched, last: int, error: BaseException, cause: BaseException | None = None) -> None:
    """A run that breaks off after some steps."""
    with steps:
        for step in steps:
            if step == last:
                raise error from cause


def test_an_interrupt_within_a_compiled_loop_ends_the_run() -> None:
    steps = Watched(9, "steps")
    run(steps, 2, SystemError("returned a result with an exception set"), KeyboardInterrupt())  # so Python passes it on
    assert (steps.interrupted, steps.done) == (True, 2)


def test_nothing_is_kept_of_an_interrupted_first_step() -> None:
    steps = Watched(9, "steps")
    with pytest.raises(KeyboardInterrupt):
        run(steps, 0, KeyboardInterrupt())
    assert not steps.interrupted


@pytest.mark.parametrize(
    ("shown", "said"), [(True, "Ctrl-C: cut short, 2 of at most 9 steps are done.\n"), (False, "")]
)
def test_it_says_that_a_run_was_cut_short(shown: bool, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    run(Watched(9, "steps", shown), 2, KeyboardInterrupt())
    assert capsys.readouterr() == ("", said)


def test_other_errors_pass() -> None:
    steps = Watched(9, "steps")
    with pytest.raises(SystemError):
        run(steps, 2, SystemError("of another kind"))
    assert not steps.interrupted
