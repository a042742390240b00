"""Adversarial networks: graphs whose generator has no density, learned with a discriminator as variational EM."""

from .blurred import blurred as blurred
from .clipping import clamped as clamped
from .divergences import Divergence as Divergence
from .divergences import f_divergence as f_divergence
from .games import Game as Game
from .games import hinge as hinge
from .games import least_squares as least_squares
from .games import minimax as minimax
from .games import non_saturating as non_saturating
from .games import wasserstein as wasserstein
from .gan import Gan as Gan
from .gan import gan as gan
from .infogan import infogan as infogan
from .infogan import information as information
from .learning import adversarial as adversarial
from .penalties import gradient_penalty as gradient_penalty
from .penalties import r1 as r1
from .replay import Replay as Replay
from .unified import Unified as Unified
from .unified import flagged as flagged
from .unified import unified as unified
from .unrolled import Unrolled as Unrolled
