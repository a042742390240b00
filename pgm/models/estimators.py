"""Models as estimators in the manner of scikit-learn, which they need."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import prod
from typing import Any, Self

import numpy as np
import torch
from scipy.special import log_softmax, logsumexp
from sklearn.base import BaseEstimator, ClassifierMixin, DensityMixin
from sklearn.utils import Tags
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, check_non_negative, validate_data
from torch import Tensor

from ..ask import log_evidence
from ..counts import Multinomial
from ..domains import Real
from ..errors import EvidenceError
from ..learn.columns import Columns
from ..learn.fit import fit
from ..learn.priors import Dirichlet, NormalInverseWishart, Prior, Priors
from ..model import BayesianNetwork, Model
from ..variable import Variable
from .emissions import emission, uniform
from .features import Features, Kind
from .mixture import mixture_discriminant
from .naive_bayes import naive_bayes
from .trees import tree_augmented_naive_bayes

CLASS = "class"
VECTOR = "x"
NUMBERS = 2**22  # in the answers to one batch of rows

Data = Mapping[str, Tensor]
Beliefs = Mapping[str, Prior]
Build = Callable[[Variable, tuple[Variable, ...], Data, Beliefs], Model]


def naive(label: Variable, features: tuple[Variable, ...], data: Data, prior: Beliefs) -> Model:
    """Naive Bayes: Gaussian, Bernoulli or of tables, as the features are."""
    return naive_bayes(label, features)


def bag(label: Variable, features: tuple[Variable, ...], data: Data, prior: Beliefs) -> Model:
    """Multinomial naive Bayes of counts and weights that are not negative."""
    (x,) = features
    rows = torch.full((label.size, *x.shape), 1 / x.shape[0], dtype=torch.float64)
    return BayesianNetwork(uniform(label), Multinomial(x, [label], rows))


def tree(label: Variable, features: tuple[Variable, ...], data: Data, prior: Beliefs) -> Model:
    """Naive Bayes augmented by the best tree of features with states."""
    return tree_augmented_naive_bayes(label.name, Columns.of(dict(data), [label, *features]))


def mixtures(label: Variable, features: tuple[Variable, ...], data: Data, prior: Beliefs, components: int = 2) -> Model:
    """A mixture of Gaussians a class."""
    (x,) = features
    return mixture_discriminant(label, Variable("component", components), x, data, prior=prior)


class Classifier(ClassifierMixin, BaseEstimator):
    """A generative classifier, p(class | x) = p(class) p(x | class) / p(x), with scikit-learn's methods.

    Args:
        build: from the class, the features, their data and priors to the model that is fitted: `naive`, `bag`
            (multinomial), `tree`, `mixtures`, or any function of yours.
        features: what it sees of a row of numbers: 'real' a vector, 'positive' one without negative numbers, 'binary'
            one of zeros and ones, 'bins' a state a column.
        counts: pseudo-counts of every state, word or pixel value, for tables other than that of the class.
        smoothing: what every variance has at least, about, as a share of the largest variance of a column.
        threshold: a number above it is a 1 when features are binary.
        bins: how many states a column has at most.
        iterations: of EM at most, where the model has hidden variables.

    Attributes:
        classes_: the classes, in the order of the columns of probabilities.
        model_: the fitted model.
        features_: how rows become values of its variables.

    Example:
        >>> size = np.array([[160.0, 60.0], [170.0, 62.0], [175.0, 80.0], [181.0, 74.0]])
        >>> Classifier().fit(size, ["f", "f", "m", "m"]).predict([[172.0, 90.0]])
        array(['m'], dtype='<U1')

    Reference: Ng and Jordan (2002), On discriminative versus generative classifiers.
    """

    def __init__(
        self,
        build: Build = naive,
        *,
        features: Kind = "real",
        counts: float = 1.0,
        smoothing: float = 1e-9,
        threshold: float = 0.0,
        bins: int = 5,
        iterations: int = 100,
    ) -> None:
        self.build = build
        self.features = features
        self.counts = counts
        self.smoothing = smoothing
        self.threshold = threshold
        self.bins = bins
        self.iterations = iterations

    def fit(self, X: Any, y: Any) -> Self:
        """Learn from rows `[rows, columns]` and their classes `[rows]`."""
        table, labels = validate_data(self, X, y, dtype=np.float64)
        check_classification_targets(labels)
        if self.features == "positive":
            check_non_negative(table, "Classifier(features='positive')")
        self.classes_, states = np.unique(labels, return_inverse=True)
        names = [f"x{i}" for i in range(table.shape[1])]
        self.features_ = Features.of(table, names, self.features, threshold=self.threshold, bins=self.bins)
        data = {CLASS: torch.from_numpy(states), **self.features_(table)}
        prior = self._prior(table)
        model = self.build(Variable(CLASS, self.classes_.tolist()), self.features_.variables, data, prior)
        self.model_ = fit(model, data, prior=prior, iterations=self.iterations).model
        return self

    def _prior(self, table: np.ndarray) -> dict[str, Prior]:
        """Pseudo-counts, or a scatter that gives variances their floor, by name of a feature."""
        (rows, columns), largest = table.shape, float(table.var(0).max())
        if self.features == "real" and largest == 0:
            raise EvidenceError(f"Classifier: all rows are equal (n_samples={rows}), expected some that differ.")
        more = self.smoothing * rows / len(self.classes_)  # rows of that variance; so a component may be empty
        floor = NormalInverseWishart(more * largest, degrees=more - columns - 1)
        belief: Prior = floor if self.features == "real" else Dirichlet(self.counts)
        return {variable.name: belief for variable in self.features_.variables}

    def predict_joint_log_proba(self, X: Any) -> np.ndarray:
        """log p(x, class), `[rows, classes]`."""
        check_is_fitted(self)
        data = self.features_(validate_data(self, X, dtype=np.float64, reset=False))
        states = range(len(self.classes_))
        return np.stack([_log_evidence(self.model_, data, {CLASS: state}) for state in states], axis=1)

    def predict_log_proba(self, X: Any) -> np.ndarray:
        """log p(class | x), `[rows, classes]`."""
        return log_softmax(self.predict_joint_log_proba(X), axis=1)

    def predict_proba(self, X: Any) -> np.ndarray:
        """p(class | x), `[rows, classes]`."""
        return np.exp(self.predict_log_proba(X))

    def predict(self, X: Any) -> np.ndarray:
        """The most probable class of each row."""
        joint = self.predict_joint_log_proba(X)
        return self.classes_[joint.argmax(axis=1)]

    def score_samples(self, X: Any) -> np.ndarray:
        """log p(x), in nats, `[rows]`."""
        return logsumexp(self.predict_joint_log_proba(X), axis=1)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.positive_only = self.features == "positive"
        tags.classifier_tags.poor_score = self.features in ("binary", "positive")
        return tags


def single(x: Variable, rows: Tensor) -> Model:
    """One Gaussian with a full covariance."""
    return BayesianNetwork(emission(x, [], "full"))


class Density(DensityMixin, BaseEstimator):
    """A model of vectors, p(x), with scikit-learn's methods.

    Args:
        build: from the variable and the rows `[rows, columns]` to the model that EM starts from, such as
            `lambda x, rows: gaussian_mixture(Variable("k", 3), x, rows)`; `single` is one Gaussian.
        prior: of the parameters, as for `fit`.
        iterations: of EM at most; 0 where the model is fitted already, as `kernel_density` is.

    Attributes:
        model_: the fitted model.

    Example:
        >>> from pgm import kernel_density
        >>> rows = np.array([[0.0], [1.0]])
        >>> made = Density(lambda x, rows: kernel_density(x, rows, bandwidth=0.5), iterations=0).fit(rows)
        >>> np.exp(made.score_samples([[0.5]]))
        array([0.48394145])
    """

    def __init__(
        self, build: Callable[[Variable, Tensor], Model] = single, *, prior: Priors = None, iterations: int = 100
    ) -> None:
        self.build = build
        self.prior = prior
        self.iterations = iterations

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn from rows `[rows, columns]`; y is not used."""
        rows = torch.tensor(validate_data(self, X, dtype=np.float64))
        model = self.build(Variable(VECTOR, Real(rows.shape[1])), rows)
        if self.iterations:
            model = fit(model, {VECTOR: rows}, prior=self.prior, iterations=self.iterations).model
        self.model_ = model
        return self

    def score_samples(self, X: Any) -> np.ndarray:
        """log p(x), in nats, `[rows]`."""
        check_is_fitted(self)
        rows = torch.tensor(validate_data(self, X, dtype=np.float64, reset=False))
        return _log_evidence(self.model_, {VECTOR: rows}, {})

    def score(self, X: Any, y: Any = None) -> float:
        """The mean of log p(x) over rows, in nats."""
        return float(self.score_samples(X).mean())


def _log_evidence(model: Model, data: Data, more: Mapping[str, int]) -> np.ndarray:
    """log p(data, more) of each row, in batches."""
    rows = len(next(iter(data.values())))
    width = sum(v.size if v.finite else prod(v.shape) for v in model.variables)
    parts = []
    for which in torch.arange(rows).split(max(1, NUMBERS // width)):
        given = {name: values[which] for name, values in data.items()}
        given |= {name: torch.full((len(which),), state) for name, state in more.items()}
        with torch.no_grad():
            parts.append(log_evidence(model, given=given).numpy())
    return np.concatenate(parts)
