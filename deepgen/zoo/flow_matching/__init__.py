"""Flow matching: a differential equation from noise to data. Its paths, learning, samplers and exact likelihood."""

from .learning import matched as matched
from .model import FlowMatching as FlowMatching
from .model import flow_matching as flow_matching
from .probability import probability_flow as probability_flow
from .velocity import Velocity as Velocity
