"""Pictures of deep models: functions that return matplotlib figures, which belong to no window."""

from .chains import cooling as cooling
from .chains import equilibrium as equilibrium
from .curves import curves as curves
from .generated import neighbours as neighbours
from .generated import sums as sums
from .generated import walks as walks
from .graph import graph as graph
from .grid import grid as grid
from .inks import inked as inked
from .moves import arithmetic as arithmetic
from .moves import interpolation as interpolation
from .moves import traversals as traversals
from .plane import latents as latents
from .plane import manifold as manifold
from .points import modes as modes
from .points import points as points
from .process import bound_terms as bound_terms
from .process import process as process
from .process import schedules as schedules
from .reconstructions import reconstructions as reconstructions
from .translations import translations as translations
from .watch import samples_over_time as samples_over_time
from .watch import watch_samples as watch_samples
