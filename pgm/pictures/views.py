"""The four views of a model's graph as sketches: directed, moral, factor and junction."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import combinations, pairwise

from ..conditionals import Conditional
from ..graph import Graph, Term
from ..neural import Implicit, Neural
from .sketch import LARGE, NO_PLATES, Engine, Plates, Sketch
from .style import EVIDENCE_LINE, FACTOR, MARRIED, NODE, PAPER, Attributes, attributes, bold, html, small
from .subject import Subject

STEP = re.compile(r"\[(\d+|t-1)\]$")  # a variable unrolled in time, or that of the step before in a template
Nodes = Mapping[str, Attributes]
PLAIN = attributes()
LEVEL = attributes(style="invis", weight="9")  # keeps a variable on one level through time
NAMES_A_LINE, NAMES_A_CLIQUE = 3, 18  # names printed on one line, and in one clique


def directed(subject: Subject, nodes: Nodes) -> Sketch:
    """Arrows from parents to children; a plain line between two variables that share a potential.

    Squares on arrows mark what a neural net computes: full where there is a density, open where there is none.
    """
    graph, plates = subject.graph, subject.plates
    arrows = [
        (parent, child, _arrow(subject.conditionals.get(child)))
        for child in graph.names
        for parent in graph.parents[child]
    ]
    lines = [(a, b, attributes(dir="none")) for a, b in _shared(term for term in graph.terms if term.child is None)]
    engine = _engine(graph, len(nodes), plates)
    ranks = () if plates or engine != "dot" else steps(graph)
    drawn = {(a, b) for a, b, _ in arrows}
    rows = [(a, b, LEVEL) for a, b in _rows(ranks) if (a, b) not in drawn]
    return Sketch(nodes, (*arrows, *lines, *rows), engine=engine, plates=plates, ranks=ranks)


def _arrow(conditional: Conditional | None) -> Attributes:
    if conditional is None or not (isinstance(conditional, (Neural, Implicit)) or _learns_inside(conditional)):
        return PLAIN
    return attributes(arrowhead="normalbox" if conditional.capabilities.has_log_prob else "normalobox")


def _learns_inside(conditional: Conditional) -> bool:
    """Whether modules within it have parameters, as networks do."""
    return any(True for module in conditional.children() for _ in module.parameters())


def steps(graph: Graph) -> tuple[tuple[str, ...], ...]:
    """The variables of each step in time, when names such as z[0] and arrows from one step to a later one say so.

    In a template there are two, the step before and this one.

    Example:
        >>> from pgm import Variable
        >>> z = [Variable(f"z[{t}]") for t in range(3)]
        >>> steps(Graph(tuple(z), (Term(("z[0]", "z[1]"), "z[1]"), Term(("z[1]", "z[2]"), "z[2]"))))
        (('z[0]',), ('z[1]',), ('z[2]',))
    """
    marks = {name: found[1] for name in graph.names if (found := STEP.search(name))}
    if "t-1" in marks.values():
        earlier = tuple(name for name, mark in marks.items() if mark == "t-1")
        return earlier, tuple(name for name in graph.names if name not in earlier)
    at = {name: int(mark) for name, mark in marks.items()}
    moves = [at[child] - at[a] for child in at for a in graph.parents[child] if a in at]
    if not any(moves) or min(moves) < 0:
        return ()
    return tuple(tuple(name for name in at if at[name] == step) for step in sorted(set(at.values())))


def moral(graph: Graph, nodes: Nodes, plates: Plates = NO_PLATES) -> Sketch:
    """Lines between variables that share a term; those that only a common child makes are dashed."""
    kept = {frozenset((parent, child)) for child in graph.names for parent in graph.parents[child]}
    kept |= {frozenset(pair) for pair in _shared(term for term in graph.terms if term.child is None)}
    rank = {name: place for place, name in enumerate(graph.topological)}
    married = attributes(color=MARRIED, style="dashed", constraint="false")
    pairs = [tuple(sorted(pair, key=rank.__getitem__)) for pair in _shared(graph.terms)]  # the layout keeps the layers
    edges = tuple((a, b, PLAIN if frozenset((a, b)) in kept else married) for a, b in pairs)
    return Sketch(nodes, edges, arrows=False, engine=_engine(graph, len(nodes), plates), plates=plates)


def factor(graph: Graph, nodes: Nodes, plates: Plates = NO_PLATES) -> Sketch:
    """Round variables and small square factors, one a conditional or potential.

    A factor lies in the plates of its child; that of a potential in those of its variables, where they are inside each
    other.
    """
    squares = dict(zip(_fresh((term.label for term in graph.terms), graph.names), graph.terms, strict=True))
    square = attributes(label="", shape="square", style="filled", fillcolor=FACTOR, color=FACTOR, width="0.14")
    drawn = {**nodes, **dict.fromkeys(squares, square)}
    above = [(name, square, PLAIN) for square, term in squares.items() for name in term.given]
    below = [(square, name, PLAIN) for square, term in squares.items() for name in term.scope if name not in term.given]
    inside = {
        plate: (*names, *(square for square, term in squares.items() if _in(term, names, plates)))
        for plate, names in plates.items()
    }
    engine = _engine(graph, len(drawn), plates)
    return Sketch(drawn, (*above, *below), arrows=False, engine=engine, plates=inside)


def junction(graph: Graph, observed: Collection[str] = ()) -> Sketch:
    """Cliques, and between two of them a box with the variables that both hold."""
    from ..chordal import junction_tree  # compiled loops, which the other views do without

    tree = junction_tree(graph)
    cliques = list(_fresh((", ".join(clique) for clique in tree.cliques), ()))
    boxes = list(_fresh((", ".join(both) for _, _, both in tree.edges), cliques))
    rounded = attributes(shape="box", style="rounded,filled", fillcolor=NODE, margin="0.14,0.08")
    square = attributes(shape="box", style="filled", fillcolor=PAPER, height="0", width="0", margin="0.06,0.03")
    drawn = {
        name: attributes(**rounded, label=_listed(clique, observed))
        for name, clique in zip(cliques, tree.cliques, strict=True)
    }
    edges = []
    for box, (i, j, both) in zip(boxes, tree.edges, strict=True):
        drawn[box] = attributes(**square, label=small(_listed(both, observed)))
        edges += [(cliques[i], box, PLAIN), (box, cliques[j], PLAIN)]
    return Sketch(drawn, tuple(edges), arrows=False)


def _rows(ranks: Sequence[Sequence[str]]) -> Iterator[tuple[str, str]]:
    """The same variable in one step and the next."""
    for now, later in pairwise(ranks):
        names = {STEP.sub("", name): name for name in later}
        yield from ((name, names[STEP.sub("", name)]) for name in now if STEP.sub("", name) in names)


def _shared(terms: Iterable[Term]) -> dict[tuple[str, str], None]:
    """Each pair of variables that share a term, once, in order of appearance."""
    found: dict[frozenset[str], tuple[str, str]] = {}
    for term in terms:
        for a, b in combinations(term.scope, 2):
            found.setdefault(frozenset((a, b)), (a, b))
    return dict.fromkeys(found.values())


def _engine(graph: Graph, count: int, plates: Plates) -> Engine:
    """Layers where arrows make them and they fit on a page, or where boxes ask for them; springs otherwise."""
    if plates or (graph.kind != "undirected" and count <= LARGE):
        return "dot"
    return "neato" if count <= LARGE else "sfdp"


def _fresh(texts: Iterable[str], taken: Collection[str]) -> Iterator[str]:
    """The texts made different from each other and from those taken by numbering repeats."""
    used = set(taken)
    for text in texts:
        name, count = text, 1
        while name in used:
            count += 1
            name = f"{text} #{count}"
        used.add(name)
        yield name


def _in(term: Term, names: Collection[str], plates: Plates) -> bool:
    if term.child is not None:
        return term.child in names
    touched = sorted((set(each) for each in plates.values() if set(each) & set(term.scope)), key=len)
    within = all(a <= b for a, b in pairwise(touched))  # plates inside each other
    return set(names) in touched and (within or set(term.scope) <= set(names))


def _listed(names: tuple[str, ...], observed: Collection[str]) -> str:
    """Names separated by commas on several lines, the observed ones in the colour of evidence."""
    shown = [_named(name, observed) for name in names[:NAMES_A_CLIQUE]]
    if len(names) > NAMES_A_CLIQUE:
        shown.append(f"{len(names) - NAMES_A_CLIQUE} more")
    lines = [", ".join(shown[i : i + NAMES_A_LINE]) for i in range(0, len(shown), NAMES_A_LINE)]
    return ",<BR/>".join(lines) or " "


def _named(name: str, observed: Collection[str]) -> str:
    return f'<FONT COLOR="{EVIDENCE_LINE}">{bold(html(name))}</FONT>' if name in observed else html(name)
