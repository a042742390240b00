"""Probabilistic graphical models: define or load one, ask it anything, see it.

Names are loaded when first used, so that importing the package costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .ask import infer as infer
    from .ask import log_evidence as log_evidence
    from .ask import mpe as mpe
    from .ask import plan_for as plan_for
    from .ask import sample as sample
    from .causes import NoisyAnd as NoisyAnd
    from .causes import NoisyMax as NoisyMax
    from .causes import NoisyOr as NoisyOr
    from .chordal import JunctionTree as JunctionTree
    from .chordal import Treewidth as Treewidth
    from .chordal import junction_tree as junction_tree
    from .chordal import treewidth as treewidth
    from .chordal import triangulate as triangulate
    from .conditionals import Conditional as Conditional
    from .conditionals import Deterministic as Deterministic
    from .conditionals import Tabular as Tabular
    from .counts import IndependentBernoulli as IndependentBernoulli
    from .counts import Multinomial as Multinomial
    from .domains import Binary as Binary
    from .domains import Count as Count
    from .domains import Finite as Finite
    from .domains import OneHot as OneHot
    from .domains import Real as Real
    from .energies import Energy as Energy
    from .energies import Quadratic as Quadratic
    from .engines.annealed import AIS as AIS
    from .engines.annealing import SimulatedAnnealing as SimulatedAnnealing
    from .engines.auto import Auto as Auto
    from .engines.decimation import MaxProduct as MaxProduct
    from .engines.dual import DualDecomposition as DualDecomposition
    from .engines.exact import Exact as Exact
    from .engines.gibbs import Gibbs as Gibbs
    from .engines.icm import ICM as ICM
    from .engines.importance import Importance as Importance
    from .engines.likelihood_weighting import LikelihoodWeighting as LikelihoodWeighting
    from .engines.loopy import LoopyBP as LoopyBP
    from .engines.mean_field import MeanField as MeanField
    from .engines.mini_bucket import MiniBucket as MiniBucket
    from .engines.nuts import NUTS as NUTS
    from .engines.svi import SVI as SVI
    from .engines.toulbar2 import Toulbar2 as Toulbar2
    from .engines.tree_reweighted import TreeReweighted as TreeReweighted
    from .errors import ConvergenceWarning as ConvergenceWarning
    from .errors import EvidenceError as EvidenceError
    from .errors import FileError as FileError
    from .errors import GraphError as GraphError
    from .errors import PlanError as PlanError
    from .errors import ShapeError as ShapeError
    from .explanation import Explanation as Explanation
    from .factor import Factor as Factor
    from .fields.field import Field as Field
    from .fields.field import Group as Group
    from .fields.field import Trains as Trains
    from .fields.field import grid as grid
    from .gaussians import ConditionalLinearGaussian as ConditionalLinearGaussian
    from .gaussians import Gaussian as Gaussian
    from .gaussians import LinearGaussian as LinearGaussian
    from .gaussians import Regression as Regression
    from .graph import Graph as Graph
    from .graph import Term as Term
    from .information import entropy as entropy
    from .information import kl_divergence as kl_divergence
    from .information import mutual_information as mutual_information
    from .io import load as load
    from .io import save as save
    from .learn.climb import hill_climb as hill_climb
    from .learn.columns import Columns as Columns
    from .learn.cpdag import CPDAG as CPDAG
    from .learn.cpdag import structural_hamming_distance as structural_hamming_distance
    from .learn.fit import fit as fit
    from .learn.fit import fitted as fitted
    from .learn.fit import partial_fit as partial_fit
    from .learn.fit import statistics as statistics
    from .learn.fit_graph import fit_graph as fit_graph
    from .learn.fitted import Fitted as Fitted
    from .learn.gradient import fit_by_gradient as fit_by_gradient
    from .learn.independence import chi_squared as chi_squared
    from .learn.independence import g_squared as g_squared
    from .learn.independence import partial_correlation as partial_correlation
    from .learn.learned import Learned as Learned
    from .learn.pc import pc as pc
    from .learn.priors import Dirichlet as Dirichlet
    from .learn.priors import NormalInverseWishart as NormalInverseWishart
    from .learn.scores import Score as Score
    from .learn.scores import bdeu as bdeu
    from .learn.scores import bic as bic
    from .learn.statistics import Statistics as Statistics
    from .learn.tree import chow_liu as chow_liu
    from .learn.tree import pairwise_information as pairwise_information
    from .logistic import Logistic as Logistic
    from .logistic import Softmax as Softmax
    from .model import BayesianNetwork as BayesianNetwork
    from .model import MarkovNetwork as MarkovNetwork
    from .model import Model as Model
    from .models.estimators import Classifier as Classifier
    from .models.estimators import Density as Density
    from .models.factors import factor_analysis as factor_analysis
    from .models.factors import probabilistic_pca as probabilistic_pca
    from .models.mixture import gaussian_mixture as gaussian_mixture
    from .models.mixture import kernel_density as kernel_density
    from .models.mixture import mixture_discriminant as mixture_discriminant
    from .models.naive_bayes import naive_bayes as naive_bayes
    from .models.sequences import hidden_markov_model as hidden_markov_model
    from .models.sequences import linear_dynamical_system as linear_dynamical_system
    from .models.trees import chow_liu_tree as chow_liu_tree
    from .models.trees import tree_augmented_naive_bayes as tree_augmented_naive_bayes
    from .moments import Moments as Moments
    from .neural import Implicit as Implicit
    from .neural import Joined as Joined
    from .neural import Neural as Neural
    from .neural import bernoulli as bernoulli
    from .neural import categorical as categorical
    from .neural import normal as normal
    from .pictures import Picture as Picture
    from .pictures import plot as plot
    from .plan import Plan as Plan
    from .plan import Query as Query
    from .plates import Plate as Plate
    from .point import Point as Point
    from .posterior import Posterior as Posterior
    from .potentials import LogLinear as LogLinear
    from .potentials import Pairwise as Pairwise
    from .potentials import Potential as Potential
    from .potentials import Table as Table
    from .potentials import agree as agree
    from .potentials import product as product
    from .potentials import spin as spin
    from .program import as_pyro as as_pyro
    from .program import from_pyro as from_pyro
    from .samples import Samples as Samples
    from .structure import Separation as Separation
    from .structure import ancestral as ancestral
    from .structure import d_separated as d_separated
    from .structure import markov_blanket as markov_blanket
    from .structure import moral as moral
    from .symmetric import Cardinality as Cardinality
    from .symmetric import Parity as Parity
    from .temporal.beliefs import Beliefs as Beliefs
    from .temporal.beliefs import Paths as Paths
    from .temporal.fit import FittedTemplate as FittedTemplate
    from .temporal.fit import fit_sequences as fit_sequences
    from .temporal.particles import ParticleFilter as ParticleFilter
    from .temporal.questions import filtering as filtering
    from .temporal.questions import log_likelihood as log_likelihood
    from .temporal.questions import prediction as prediction
    from .temporal.questions import smoothing as smoothing
    from .temporal.questions import viterbi as viterbi
    from .temporal.simulate import simulate as simulate
    from .temporal.template import Template as Template
    from .temporal.template import before as before
    from .terms import Capabilities as Capabilities
    from .variable import Variable as Variable
    from .views import from_networkx as from_networkx
    from .views import to_networkx as to_networkx

_HOME = {
    "ask": "infer log_evidence mpe plan_for sample",
    "causes": "NoisyAnd NoisyMax NoisyOr",
    "chordal": "JunctionTree Treewidth junction_tree treewidth triangulate",
    "conditionals": "Conditional Deterministic Tabular",
    "counts": "IndependentBernoulli Multinomial",
    "domains": "Binary Count Finite OneHot Real",
    "energies": "Energy Quadratic",
    "engines.annealed": "AIS",
    "engines.annealing": "SimulatedAnnealing",
    "engines.auto": "Auto",
    "engines.decimation": "MaxProduct",
    "engines.dual": "DualDecomposition",
    "engines.exact": "Exact",
    "engines.icm": "ICM",
    "engines.gibbs": "Gibbs",
    "engines.importance": "Importance",
    "engines.mean_field": "MeanField",
    "engines.mini_bucket": "MiniBucket",
    "engines.likelihood_weighting": "LikelihoodWeighting",
    "engines.loopy": "LoopyBP",
    "engines.nuts": "NUTS",
    "engines.svi": "SVI",
    "engines.toulbar2": "Toulbar2",
    "engines.tree_reweighted": "TreeReweighted",
    "errors": "ConvergenceWarning EvidenceError FileError GraphError PlanError ShapeError",
    "explanation": "Explanation",
    "factor": "Factor",
    "fields.field": "Field Group Trains grid",
    "gaussians": "ConditionalLinearGaussian Gaussian LinearGaussian Regression",
    "graph": "Graph Term",
    "information": "entropy kl_divergence mutual_information",
    "io": "load save",
    "learn.climb": "hill_climb",
    "learn.columns": "Columns",
    "learn.cpdag": "CPDAG structural_hamming_distance",
    "learn.fit": "fit fitted partial_fit statistics",
    "learn.fit_graph": "fit_graph",
    "learn.fitted": "Fitted",
    "learn.gradient": "fit_by_gradient",
    "learn.independence": "chi_squared g_squared partial_correlation",
    "learn.learned": "Learned",
    "learn.pc": "pc",
    "learn.priors": "Dirichlet NormalInverseWishart",
    "learn.scores": "Score bdeu bic",
    "learn.statistics": "Statistics",
    "learn.tree": "chow_liu pairwise_information",
    "logistic": "Logistic Softmax",
    "model": "BayesianNetwork MarkovNetwork Model",
    "models.estimators": "Classifier Density",
    "models.factors": "factor_analysis probabilistic_pca",
    "models.mixture": "gaussian_mixture kernel_density mixture_discriminant",
    "models.naive_bayes": "naive_bayes",
    "models.sequences": "hidden_markov_model linear_dynamical_system",
    "models.trees": "chow_liu_tree tree_augmented_naive_bayes",
    "moments": "Moments",
    "neural": "Implicit Joined Neural bernoulli categorical normal",
    "pictures": "Picture plot",
    "plan": "Plan Query",
    "plates": "Plate",
    "point": "Point",
    "posterior": "Posterior",
    "potentials": "LogLinear Pairwise Potential Table agree product spin",
    "program": "as_pyro from_pyro",
    "samples": "Samples",
    "structure": "Separation ancestral d_separated markov_blanket moral",
    "symmetric": "Cardinality Parity",
    "temporal.beliefs": "Beliefs Paths",
    "temporal.fit": "FittedTemplate fit_sequences",
    "temporal.particles": "ParticleFilter",
    "temporal.questions": "filtering log_likelihood prediction smoothing viterbi",
    "temporal.simulate": "simulate",
    "temporal.template": "Template before",
    "terms": "Capabilities",
    "variable": "Variable",
    "views": "from_networkx to_networkx",
}
_MODULE = {name: module for module, names in _HOME.items() for name in names.split()}

__all__ = sorted(_MODULE)  # noqa: PLE0605


def __getattr__(name: str) -> Any:
    if name not in _MODULE:
        raise AttributeError(f"module 'pgm' has no attribute {name!r}")
    globals()[name] = found = getattr(import_module(f".{_MODULE[name]}", __name__), name)
    return found


def __dir__() -> list[str]:
    return __all__
