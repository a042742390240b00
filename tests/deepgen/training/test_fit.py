"""The loop: it minimises, resumes to the bit, keeps what is good, and takes turns."""

import os
import signal
import subprocess
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from deepgen.data.data import Data, arrays
from deepgen.errors import DivergenceError
from deepgen.training import checkpoint
from deepgen.training.fit import fit
from deepgen.training.history import read_history
from deepgen.training.phase import Batch, Moment, Phase, adam
from deepgen.training.schedules import cosine, linear
from pgm.errors import FileError, PlanError, ShapeError


def line_data(rows: int = 256) -> Data:
    x = torch.linspace(-1, 1, rows)[:, None]
    return arrays("a line", x=x, y=3 * x - 1)


def game_data() -> Data:
    """The same; y is whether rows are real, in games."""
    held = line_data()
    return arrays("a line", u=held["x"], x=held["y"])


def net(seed: int = 0) -> nn.Sequential:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(1, 8), nn.Tanh(), nn.Linear(8, 1))


def noisy(module: nn.Module, clip: float | None = 1.0) -> Phase:
    """Least squares with noise from torch's own randomness, so that a resumed run needs its state."""

    def objective(batch: Batch, moment: Moment) -> dict[str, Tensor]:
        x = batch["x"] + 0.1 * torch.randn_like(batch["x"])
        error = (module(x) - batch["y"]).square().mean(-1)
        return {"error": error, "spread": x.square().mean(-1)}

    return Phase("squares", {"net": module}, objective, optimiser=adam(1e-2), rate=cosine(40, 5), clip=clip)


def dreaming(seed: int = 0) -> Phase:
    """A machine of numbers whose persistent chains swap temperatures."""
    from deepgen.zoo.boltzmann import rbm, tempered  # in the one test that needs it: others start processes
    from pgm import Real, Variable

    torch.manual_seed(seed)
    return tempered(rbm(Variable("x", Real(1)), 3), 4, 3, centring=0.1)


def playing(seed: int = 0) -> list[Phase]:
    """Two networks in a game: a spectral critic under a penalty that sees rows of a pool, and batch norm."""
    from deepgen.networks import mlp
    from deepgen.networks.spectral import spectral
    from deepgen.zoo.adversarial import adversarial, gan, gradient_penalty, wasserstein
    from pgm import Real, Variable

    def normed(given: object, shape: object) -> nn.Module:
        return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.Linear(4, 1))

    torch.manual_seed(seed)
    model = gan(Variable("x", Real(1)), 3, generator=normed, discriminator=spectral(mlp(4)))
    return list(adversarial(model, wasserstein(), steps=2, penalty=gradient_penalty(), replay=20))


def _same(one: Phase, other: Phase) -> bool:
    """Whether two phases hold the same to the bit: parameters, centres, chains, whatever they have."""
    held = [[x for module in phase.modules.values() for x in module.state_dict().values()] for phase in (one, other)]
    return all(torch.equal(a, b) for a, b in zip(*held, strict=True))


def weights(module: nn.Module) -> Tensor:
    return torch.cat([parameter.detach().flatten() for parameter in module.parameters()])


def test_least_squares_reach_the_line() -> None:
    module = nn.Linear(1, 1)
    descent = partial(torch.optim.SGD, lr=0.5)  # the slowest direction shrinks by 2/3 a step
    squares = Phase("fit", {"line": module}, lambda b, at: (module(b["x"]) - b["y"]).square().mean(-1), 1, descent)
    history = fit(squares, line_data(), epochs=100, batch=256, device="cpu", record=10)
    torch.testing.assert_close(weights(module), torch.tensor([3.0, -1.0]), atol=1e-6, rtol=0)
    assert history["fit.loss"][-1] < 1e-10 < history["fit.loss"][0]
    assert history["turn"][-1] == 100


@pytest.mark.parametrize("average", [None, 0.9])
def test_a_resumed_run_is_the_run_that_never_stopped(tmp_path: Path, average: float | None) -> None:
    whole, parts = net(), net()
    options = {"batch": 32, "every": 7, "record": 5, "device": "cpu", "average": average, "seed": 3}
    one = fit(noisy(whole), line_data(), turns=40, out=tmp_path / "whole", **options)
    fit(noisy(parts), line_data(), turns=17, out=tmp_path / "parts", **options)
    other = net(5)  # whatever the modules hold, the checkpoint counts
    two = fit(noisy(other), line_data(), turns=40, out=tmp_path / "parts", resume=True, **options)
    assert torch.equal(weights(whole), weights(other))
    assert not torch.equal(weights(parts), weights(other))
    assert one["squares.error"][-1] == two["squares.error"][-1]
    kept = [checkpoint.read(tmp_path / name).tensors for name in ("whole", "parts")]
    assert all(torch.equal(kept[0][name], kept[1][name]) for name in kept[0])


KILLED = """
import os, signal, sys, torch
sys.path.insert(0, sys.argv[2])
from test_fit import dreaming, game_data, line_data, net, noisy, playing
from deepgen.training.fit import fit
import deepgen.training.checkpoint as c
written, flushed = [0], c._flushed
def dying(path, raw):
    written[0] += 1
    if written[0] > limit:  # in the middle of a file
        open(path, "wb").write(raw[: len(raw) // 2])
        os.kill(os.getpid(), signal.SIGKILL)
    flushed(path, raw)
c._flushed = dying
torch.set_num_threads(1)
for limit, make in ((3, lambda: noisy(net())), (4, lambda: noisy(net())), (5, dreaming), (6, playing)):
    out, child = sys.argv[1] + f"/{limit}", os.fork()
    if not child:
        data = game_data() if make is playing else line_data()
        fit(make(), data, turns=40, batch=32, every=10, record=5, device="cpu", seed=3, out=out)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def test_a_killed_run_goes_on_from_its_last_whole_checkpoint(tmp_path: Path) -> None:
    """Killed in the second file of the second checkpoint, in the first of the third, and in its second with chains."""
    words = [sys.executable, "-c", KILLED, str(tmp_path), str(Path(__file__).parent)]
    done = subprocess.run(words, check=True, capture_output=True, text=True)
    assert done.stdout.split() == [str(-signal.SIGKILL)] * 4
    whole = net()
    options = {"batch": 32, "every": 10, "record": 5, "device": "cpu", "seed": 3}
    fit(noisy(whole), line_data(), turns=40, **options)
    for files, turn in (("3", 10), ("4", 20)):
        assert checkpoint.read(tmp_path / files).turn == turn
        again = net(1)
        history = fit(noisy(again), line_data(), turns=40, out=tmp_path / files, resume=True, **options)
        assert torch.equal(weights(whole), weights(again))
        assert history["turn"] == [5, 10, 15, 20, 25, 30, 35, 40]
    for files, turn, data, make in (
        ("5", 20, line_data(), lambda seed: [dreaming(seed)]),
        ("6", 30, game_data(), playing),
    ):
        assert checkpoint.read(tmp_path / files).turn == turn
        never, again = make(0), make(1)
        fit(never, data, turns=40, **options)
        fit(again, data, turns=40, out=tmp_path / files, resume=True, **options)
        assert all(_same(one, other) for one, other in zip(never, again, strict=True))


def test_damaged_and_missing_checkpoints_are_named(tmp_path: Path) -> None:
    options = {"batch": 32, "every": 10, "device": "cpu"}
    fit(noisy(net()), line_data(), turns=20, out=tmp_path, **options)
    older, newer = checkpoint.checkpoints(tmp_path)
    state = newer / checkpoint.TENSORS
    state.write_bytes(state.read_bytes()[:-100])
    assert checkpoint.read(tmp_path).turn == 10
    (older / checkpoint.FACTS).unlink()
    with pytest.raises(FileError, match="the checkpoint is damaged or incomplete"):
        fit(noisy(net()), line_data(), turns=20, out=tmp_path, resume=True, **options)
    with pytest.raises(FileError, match="there is no checkpoint"):
        fit(noisy(net()), line_data(), turns=20, out=tmp_path / "other", resume=True, **options)


def test_a_run_is_not_overwritten_nor_resumed_as_another(tmp_path: Path) -> None:
    options = {"every": 10, "device": "cpu"}
    fit(noisy(net()), line_data(), turns=10, out=tmp_path, batch=32, **options)
    with pytest.raises(PlanError, match="holds a run already; resume=True"):
        fit(noisy(net()), line_data(), turns=10, out=tmp_path, batch=32, **options)
    with pytest.raises(PlanError, match="has batch 32, this one 16"):
        fit(noisy(net()), line_data(), turns=20, out=tmp_path, batch=16, resume=True, **options)
    wide = nn.Sequential(nn.Linear(1, 9), nn.Tanh(), nn.Linear(9, 1))
    with pytest.raises(FileError, match="does not fit the modules"):
        fit(noisy(wide), line_data(), turns=20, out=tmp_path, batch=32, resume=True, **options)


def test_what_is_no_longer_finite_is_named_and_undone(tmp_path: Path) -> None:
    module = net()

    def objective(batch: Batch, moment: Moment) -> Tensor:
        error = (module(batch["x"]) - batch["y"]).square().mean(-1)
        return error / (moment.step < 25)  # becomes infinite, and the parameters NaN

    phase = Phase("squares", {"net": module}, objective)
    with pytest.raises(DivergenceError, match=r"squares.loss became (inf|nan) by turn 30.*net.0.weight.*000000020"):
        fit(phase, line_data(), turns=40, batch=32, every=10, record=10, out=tmp_path, device="cpu")
    kept = checkpoint.read(tmp_path)
    assert kept.turn == 20
    torch.testing.assert_close(module[0].weight.detach(), kept.tensors["module.net.0.weight"])


def test_phases_take_turns_and_move_their_own() -> None:
    """Two players of (a - b)^2 - a * b: each step of one leaves the other as it was."""
    a, b = nn.Linear(1, 1, bias=False), nn.Linear(1, 1, bias=False)
    seen: list[tuple[str, float, float]] = []

    def playing(name: str) -> Phase:
        def objective(batch: Batch, moment: Moment) -> Tensor:
            x, y = a(batch["x"]), b(batch["x"])
            seen.append((name, a.weight.item(), b.weight.item()))
            return ((x - y).square() - x * y).mean(-1)

        return Phase(name, {name: a if name == "a" else b}, objective, steps=2 if name == "a" else 1)

    history = fit([playing("a"), playing("b")], arrays("ones", x=torch.ones(8, 1)), turns=3, batch=8, device="cpu")
    assert [name for name, *_ in seen] == ["a", "a", "b"] * 3
    moves = [(now[0], now[1] != then[1], now[2] != then[2]) for then, now in zip(seen, seen[1:], strict=False)]
    before = [name for name, *_ in seen[:-1]]
    assert [(a_moved, b_moved) for _, a_moved, b_moved in moves] == [(name == "a", name == "b") for name in before]
    assert {"a.loss", "b.loss"} <= set(history.names)
    assert history["epoch"][-1] == 9.0


def test_accumulated_gradients_are_those_of_the_larger_batch() -> None:
    def trained(batch: int, accumulate: int, turns: int) -> Tensor:
        module = net()
        sgd = Phase(
            "fit",
            {"net": module},
            lambda b, at: (module(b["x"]) - b["y"]).square().mean(-1),
            optimiser=lambda parameters: torch.optim.SGD(parameters, lr=0.1),
        )
        fit(sgd, line_data(64), turns=turns, batch=batch, accumulate=accumulate, device="cpu")
        return weights(module)

    torch.testing.assert_close(trained(64, 1, 3), trained(32, 2, 6))


def test_averages_follow_and_are_what_is_left(tmp_path: Path) -> None:
    module, seen = net(), list[Tensor]()

    def watch(moment: Moment) -> dict[str, float]:
        assert not module.training
        seen.append(weights(module))
        return {"distance": float(moment.turn)}

    options = {"turns": 20, "batch": 32, "every": 10, "device": "cpu", "out": tmp_path}
    history = fit(noisy(module), line_data(), average=0.99, watch=watch, **options)
    expected = checkpoint.read(tmp_path).tensors
    average, raw = (
        torch.cat([expected[f"{kind}.net.{name}"].flatten() for name, _ in module.named_parameters()])
        for kind in ("average", "module")
    )
    torch.testing.assert_close(weights(module), average)
    torch.testing.assert_close(seen[-1], average)
    assert history["distance"] == [10.0, 20.0]
    assert not torch.equal(raw, average)


def test_a_look_leaves_the_randomness_of_training_alone(tmp_path: Path) -> None:
    quiet, watched = net(), net()
    options = {"turns": 20, "batch": 32, "every": 5, "device": "cpu"}
    fit(noisy(quiet), line_data(), **options)
    fit(noisy(watched), line_data(), watch=lambda moment: {"drawn": torch.rand(()).item()}, **options)
    assert torch.equal(weights(quiet), weights(watched))


def test_what_was_not_looked_at_in_full_is_looked_at_again(tmp_path: Path) -> None:
    """The look happens before its checkpoint is there, so that a run killed meanwhile does both again."""
    there: list[list[str]] = []

    def watch(moment: Moment) -> dict[str, float]:
        there.append([path.name for path in checkpoint.checkpoints(tmp_path)])
        if moment.turn == 20:
            raise OSError("the disk is full")
        return {"looked": 1.0}

    with pytest.raises(OSError, match="the disk is full"):
        fit(noisy(net()), line_data(), turns=40, batch=32, every=10, out=tmp_path, device="cpu", watch=watch)
    assert there == [[], ["000000010"]]
    assert checkpoint.read(tmp_path).turn == 20


def test_gradients_that_wait_are_not_mixed_with_those_of_another_phase() -> None:
    module = net()

    def phases(steps: int) -> list[Phase]:
        made = [noisy(module), noisy(module)]
        return [replace(phase, name=name, steps=steps) for phase, name in zip(made, "ab", strict=True)]

    options = {"turns": 1, "batch": 32, "accumulate": 2, "device": "cpu"}
    with pytest.raises(PlanError, match="accumulate is 2, and phases that move the same parameters .* a multiple of 2"):
        fit(phases(3), line_data(), **options)
    fit(phases(2), line_data(), **options)


def test_schedules_set_the_rate() -> None:
    rates: list[float] = []
    module = net()

    def sgd(parameters) -> torch.optim.Optimizer:
        made = torch.optim.SGD(parameters, lr=0.5)
        made.register_step_pre_hook(lambda optimiser, *_: rates.append(optimiser.param_groups[0]["lr"]))
        return made

    phase = Phase(
        "fit", {"net": module}, lambda b, at: module(b["x"]).square().mean(-1), optimiser=sgd, rate=linear(0.0, 1.0, 4)
    )
    fit(phase, line_data(), turns=6, batch=32, device="cpu")
    assert rates == [0.0, 0.125, 0.25, 0.375, 0.5, 0.5]


def test_ctrl_c_ends_after_the_turn_and_keeps_it(tmp_path: Path) -> None:
    module = net()

    def objective(batch: Batch, moment: Moment) -> Tensor:
        if moment.turn == 4:
            os.kill(os.getpid(), signal.SIGINT)
        return (module(batch["x"]) - batch["y"]).square().mean(-1)

    phase = Phase("fit", {"net": module}, objective)
    history = fit(phase, line_data(), turns=40, batch=32, out=tmp_path, device="cpu")
    assert history.interrupted
    assert history["turn"] == [5]
    assert checkpoint.read(tmp_path).turn == 5
    assert read_history(tmp_path).rows == history.rows


def test_options_that_are_none_are_refused() -> None:
    phase, data = noisy(net()), line_data()
    with pytest.raises(PlanError, match="epochs is None and turns None"):
        fit(phase, data)
    with pytest.raises(ShapeError, match="batch is 512, expected 1 to 256"):
        fit(phase, data, turns=1, batch=512)
    with pytest.raises(PlanError, match="precision is 'fp8'"):
        fit(phase, data, turns=1, precision="fp8")  # type: ignore[arg-type]
    with pytest.raises(PlanError, match="resume needs `out`"):
        fit(phase, data, turns=1, resume=True, device="cpu")
    with pytest.raises(PlanError, match="average is 1.5"):
        fit(phase, data, turns=1, average=1.5, device="cpu")
    with pytest.raises(PlanError, match="none of line has parameters"):
        Phase("fit", {"line": nn.Identity()}, lambda b, at: b["x"])


def test_short_floats_train_as_well() -> None:
    module = net()
    history = fit(noisy(module), line_data(), turns=40, batch=64, precision="bf16", device="cpu", record=10)
    assert history["squares.error"][-1] < history["squares.error"][0]
    assert weights(module).dtype == torch.float32


SCRIPT = """
import os, socket, sys
sys.path.insert(0, sys.argv[2])
from test_fit import shared
with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    port = free.getsockname()[1]
os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2"}
rank = 1 if os.fork() else 0  # as `accelerate launch` would start them, with torch imported once
os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank)}
shared(sys.argv[1])
if rank:
    sys.exit(os.waitstatus_to_exitcode(os.wait()[1]))
"""


def shared(out: str | Path) -> None:
    """Least squares without noise, by two networks that take turns: what every number of processes finds."""
    one, other = net(0), net(1)

    def objective(batch: Batch, moment: Moment) -> Tensor:
        return (one(batch["x"]) + other(batch["x"]) - batch["y"]).square().mean(-1)

    phases = [
        Phase("fit", {"one": one}, objective, steps=2, clip=0.1),
        Phase("rest", {"other": other}, objective, rate=linear(1.0, 0.5, 5)),
    ]
    options = {"accumulate": 2, "average": 0.9, "record": 5, "device": "cpu"}
    fit(phases, line_data(), turns=20, batch=32, out=out, **options)
    fit(told_apart(), game_data(), turns=20, batch=32, out=Path(out) / "game", **options)


def told_apart() -> list[Phase]:
    """A game without randomness: a generator of x from u alone, a critic whose slope midway is to be 1."""
    from deepgen.networks import mlp
    from deepgen.zoo.adversarial import adversarial, gan
    from deepgen.zoo.adversarial.penalties import slopes
    from pgm import Real, Variable

    def midway(scores, real, fake) -> Tensor:
        return (slopes(scores, {name: (x + fake[name]) / 2 for name, x in real.items()}) - 1).square()

    torch.manual_seed(0)
    model = gan(
        Variable("x", Real(1)),
        0,
        given=[Variable("u", Real(1))],
        generator=mlp(4),
        discriminator=mlp(4, activation=nn.Tanh),
    )
    return list(adversarial(model, steps=2, penalty=midway))


def test_two_processes_get_the_result_of_one(tmp_path: Path) -> None:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "ACCELERATE_USE_CPU": "true"}
    command = [sys.executable, "-c", SCRIPT, str(tmp_path / "two"), str(Path(__file__).parent)]
    subprocess.run(command, check=True, env=environment, capture_output=True, timeout=120)
    shared(tmp_path / "one")
    lines, game = ("fit.loss", "fit.gradient", "rest.loss"), ("discriminator.penalty", "generator.loss")
    for folder, figures in ((".", lines), ("game", game)):
        homes = [tmp_path / name / folder for name in ("one", "two")]
        one, two = (checkpoint.read(home) for home in homes)
        assert {"random.0.cpu", "random.1.cpu"} <= set(two.tensors)
        for name in (name for name in one.tensors if not name.startswith("random.")):
            torch.testing.assert_close(one.tensors[name], two.tensors[name], msg=lambda text, n=name: f"{n}: {text}")
        assert one.facts["batches"] == two.facts["batches"] == 60
        for figure in figures:
            found = [read_history(home)[figure] for home in homes]
            assert found[0] == pytest.approx(found[1], rel=1e-4)
