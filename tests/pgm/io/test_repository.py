"""The networks of the Bayesian Network Repository, and what other libraries write and read."""

import gzip
import importlib.util
import os
import pathlib

import numpy as np
import pytest

from pgm.io import load, save
from pgm.model import BayesianNetwork, Model

PGMPY = importlib.util.find_spec("pgmpy")
FOLDER = pathlib.Path(os.path.dirname(PGMPY.origin or "") if PGMPY else "") / "utils" / "example_models"
SHIPPED = pathlib.Path(__file__).parents[3] / "examples" / "data"

needs_repository = pytest.mark.skipif(PGMPY is None, reason="pgmpy, which carries the repository, is not installed")

# Nodes, arcs and free parameters, as the repository publishes them (Scutari 2010).
PUBLISHED = {
    "alarm": (37, 46, 509),
    "andes": (223, 338, 1157),
    "asia": (8, 8, 18),
    "barley": (48, 84, 114005),
    "cancer": (5, 4, 10),
    "child": (20, 25, 230),
    "diabetes": (413, 602, 429409),
    "earthquake": (5, 4, 10),
    "hailfinder": (56, 66, 2656),
    "hepar2": (70, 123, 1453),
    "insurance": (27, 52, 1008),
    "link": (724, 1125, 14211),
    "mildew": (35, 46, 540150),
    "munin": (1041, 1397, 80592),
    "munin1": (186, 273, 15622),
    "munin2": (1003, 1244, 69431),
    "munin3": (1041, 1306, 71059),
    "munin4": (1038, 1388, 80352),
    "pathfinder": (109, 195, 72079),
    "pigs": (441, 592, 5618),
    "sachs": (11, 17, 178),
    "survey": (6, 6, 21),
    "water": (32, 66, 10083),
    "win95pts": (76, 112, 574),
}
SMALL = ["asia", "alarm", "andes", "hailfinder", "hepar2", "insurance", "sachs", "win95pts"]


def repository(name: str) -> BayesianNetwork:
    model = load(FOLDER / f"{name}.bif.gz")
    assert isinstance(model, BayesianNetwork)
    return model


def table(model: Model, name: str) -> np.ndarray:
    return model.conditionals[name].factor().values.detach().numpy()


def assert_equal(found: Model, expected: Model) -> None:
    assert found.variables == expected.variables
    for name, conditional in expected.conditionals.items():
        assert found.conditionals[name].scope == conditional.scope
        np.testing.assert_array_equal(table(found, name), table(expected, name))


@needs_repository
@pytest.mark.parametrize("name", PUBLISHED)
def test_nodes_arcs_and_parameters_are_those_published(name: str) -> None:
    model = repository(name)
    arcs = sum(len(each.given) for each in model.conditionals.values())
    parameters = sum((v.size - 1) * table(model, v.name)[..., 0].size for v in model.variables)
    assert (len(model.variables), arcs, parameters) == PUBLISHED[name]


@needs_repository
@pytest.mark.parametrize("name", ["survey", "sachs", "child", "alarm"])
@pytest.mark.filterwarnings("ignore")  # pgmpy's own
def test_tables_are_those_that_pgmpy_reads(name: str) -> None:
    from pgmpy.readwrite import BIFReader

    other = BIFReader(string=gzip.decompress((FOLDER / f"{name}.bif.gz").read_bytes()).decode()).get_model()
    model = repository(name)
    assert set(other.nodes) == set(model.graph.names)
    for variable in model.variables:
        cpd = other.get_cpds(variable.name)
        scope = model.conditionals[variable.name].scope
        assert {name: tuple(cpd.state_names[name]) for name in cpd.variables} == {v.name: v.states for v in scope}
        order = [cpd.variables.index(v.name) for v in scope]
        # pgmpy divides every row by its sum, which the repository's rows miss by 1e-7 at most
        np.testing.assert_allclose(np.transpose(cpd.values, order), table(model, variable.name), rtol=0, atol=2e-7)


def other_table(net: object, name: str, scope: list[str]) -> np.ndarray:
    """A table of pyAgrum's with the axes in that order; its own are those of its names, last first."""
    cpt = net.cpt(name)  # type: ignore[attr-defined]
    axes = list(reversed(cpt.names))
    return np.transpose(cpt.toarray(), [axes.index(each) for each in scope])


def assert_same_as_other(net: object, model: Model, atol: float) -> None:
    assert {net.variable(n).name() for n in net.nodes()} == set(model.graph.names)  # type: ignore[attr-defined]
    for name, conditional in model.conditionals.items():
        scope = [v.name for v in conditional.scope]
        np.testing.assert_allclose(other_table(net, name, scope), table(model, name), rtol=0, atol=atol)
        for v in conditional.scope:
            assert net.variable(v.name).labels() == v.states  # type: ignore[attr-defined]


@needs_repository
@pytest.mark.parametrize("name", SMALL)
def test_tables_are_those_that_pyagrum_reads(tmp_path: pathlib.Path, name: str) -> None:
    gum = pytest.importorskip("pyagrum", reason="pyAgrum is not installed")
    (tmp_path / "m.bif").write_bytes(gzip.decompress((FOLDER / f"{name}.bif.gz").read_bytes()))
    assert_same_as_other(gum.loadBN(str(tmp_path / "m.bif")), repository(name), atol=1e-6)  # it keeps float32


@needs_repository
@pytest.mark.parametrize("suffix", ["bif", "bifxml", "net"])
@pytest.mark.parametrize("name", SMALL)
def test_pyagrum_reads_what_is_written(tmp_path: pathlib.Path, name: str, suffix: str) -> None:
    gum = pytest.importorskip("pyagrum", reason="pyAgrum is not installed")
    model = repository(name)
    save(model, tmp_path / f"m.{suffix}")
    assert_same_as_other(gum.loadBN(str(tmp_path / f"m.{suffix}")), model, atol=1e-6)  # it keeps float32


@needs_repository
@pytest.mark.parametrize("suffix", ["bif", "xml", "net", "uai"])
@pytest.mark.parametrize("name", ["alarm", "water"])
def test_large_tables_read_back_equal(tmp_path: pathlib.Path, name: str, suffix: str) -> None:
    model = repository(name)
    save(model, tmp_path / f"m.{suffix}")
    found = load(tmp_path / f"m.{suffix}")
    for left, right in zip(found.factors(), model.factors(), strict=True):
        np.testing.assert_array_equal(left.values.detach().numpy(), right.values.detach().numpy())


NETS = ["a{no|yes}->b{x|y|z}<-c[3];d->b;e[1,3]->c", "a->b[4]->c;a->d[2,3]->c;b->d", "lone{u|v}"]


def drawn(gum: object, structure: str) -> object:
    """A network of pyAgrum's whose numbers are multiples of 1/64, exact in the six digits it writes."""
    net = gum.fastBN(structure)  # type: ignore[attr-defined]
    rng = np.random.default_rng(0)
    for node in net.nodes():
        shape = net.cpt(node).toarray().shape
        net.cpt(node).fillWith(
            (rng.multinomial(64, np.full(shape[-1], 1 / shape[-1]), shape[:-1]) / 64).ravel().tolist()
        )
    return net


@pytest.mark.parametrize("suffix", ["bif", "bifxml", "net"])
@pytest.mark.parametrize("structure", NETS)
def test_what_pyagrum_writes_is_read_equal(tmp_path: pathlib.Path, structure: str, suffix: str) -> None:
    gum = pytest.importorskip("pyagrum", reason="pyAgrum is not installed")
    net = drawn(gum, structure)
    gum.saveBN(net, str(tmp_path / f"m.{suffix}"))
    assert_same_as_other(net, load(tmp_path / f"m.{suffix}"), atol=0)


@pytest.mark.parametrize("structure", ["a{no|yes}->b{x|y|z}->c[3];a->d[2]", "lone{u|v}"])
def test_a_tree_that_pyagrum_writes_as_uai_is_read_equal(tmp_path: pathlib.Path, structure: str) -> None:
    gum = pytest.importorskip("pyagrum", reason="pyAgrum is not installed")
    net = drawn(gum, structure)
    gum.saveBN(net, str(tmp_path / "m.uai"))
    model = load(tmp_path / "m.uai")
    for node in net.nodes():
        scope = [net.variable(int(v.name[1:])).name() for v in model.conditionals[f"x{node}"].scope]
        np.testing.assert_array_equal(other_table(net, net.variable(node).name(), scope), table(model, f"x{node}"))


def test_pyagrum_writes_three_variables_in_another_order_in_uai(tmp_path: pathlib.Path) -> None:
    """Its scope says a, b, c with c the child, but its numbers run over a faster than over b, as the module warns."""
    gum = pytest.importorskip("pyagrum", reason="pyAgrum is not installed")
    net = drawn(gum, "a->c[3];b->c")
    gum.saveBN(net, str(tmp_path / "m.uai"))
    conditional = load(tmp_path / "m.uai").conditionals["x1"]
    names = [net.variable(int(v.name[1:])).name() for v in conditional.scope]
    assert names == ["a", "b", "c"]
    np.testing.assert_array_equal(other_table(net, "c", ["b", "a", "c"]), conditional.factor().values.detach().numpy())


@pytest.mark.filterwarnings("ignore")  # pgmpy's own
@pytest.mark.parametrize("suffix", ["bif", "xml", "net"])
def test_what_pgmpy_writes_is_read_equal(tmp_path: pathlib.Path, suffix: str) -> None:
    pytest.importorskip("pgmpy", reason="pgmpy is not installed")
    from pgmpy.factors.discrete import TabularCPD
    from pgmpy.models import DiscreteBayesianNetwork
    from pgmpy.readwrite import BIFWriter, NETWriter, XMLBIFWriter

    states = {"a": ["no", "yes"], "b": ["u1", "v", "w"], "c": ["only"]}
    net = DiscreteBayesianNetwork([("a", "b"), ("c", "b")])
    net.add_cpds(
        TabularCPD("a", 2, [[0.3], [0.7]], state_names={"a": states["a"]}),
        TabularCPD("c", 1, [[1.0]], state_names={"c": states["c"]}),
        TabularCPD("b", 3, [[0.5, 0.125], [0.25, 0.125], [0.25, 0.75]], ["a", "c"], [2, 1], state_names=states),
    )
    writer = {"bif": BIFWriter, "xml": XMLBIFWriter, "net": NETWriter}[suffix]
    (tmp_path / f"m.{suffix}").write_text(str(writer(net)))
    model = load(tmp_path / f"m.{suffix}")
    assert {v.name: list(v.states) for v in model.variables} == states
    order = [["a", "c"].index(v.name) for v in model.conditionals["b"].given]
    expected = np.array([[[0.5, 0.25, 0.25]], [[0.125, 0.125, 0.75]]])
    np.testing.assert_array_equal(table(model, "b"), np.transpose(expected, [*order, 2]))
    np.testing.assert_array_equal(table(model, "a"), [0.3, 0.7])


@needs_repository
@pytest.mark.parametrize("name", ["asia", "alarm"])
def test_the_networks_shipped_are_those_of_the_repository(name: str) -> None:
    assert_equal(load(SHIPPED / f"{name}.bif"), repository(name))


@pytest.mark.parametrize(("name", "source"), [("asia", "Lauritzen"), ("alarm", "Beinlich")])
def test_the_networks_shipped_name_their_source_and_are_as_written(
    tmp_path: pathlib.Path, name: str, source: str
) -> None:
    text = (SHIPPED / f"{name}.bif").read_text()
    head = [line for line in text.splitlines() if line.startswith("//")]
    assert any(source in line for line in head)
    save(load(SHIPPED / f"{name}.bif"), tmp_path / "m.bif")
    assert text == "\n".join(head) + "\n" + (tmp_path / "m.bif").read_text()
