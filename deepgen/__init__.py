"""Deep generative models as graphs with neural nodes: define, train, sample, score and draw them.

Names are loaded when first used, so that importing the package costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .conditionals.codebook import Codebook as Codebook
    from .conditionals.discretised import discretised_gaussian as discretised_gaussian
    from .conditionals.discretised import discretised_logistic as discretised_logistic
    from .conditionals.discretised import twice as twice
    from .conditionals.features import features as features
    from .conditionals.flow import flow as flow
    from .conditionals.neural import neural as neural
    from .conditionals.point import Isotropic as Isotropic
    from .conditionals.point import point as point
    from .conditionals.product import Product as Product
    from .conditionals.standard import Standard as Standard
    from .data.binarise import dynamic as dynamic
    from .data.binarise import static as static
    from .data.binarise import thresholded as thresholded
    from .data.coarse import coarsened as coarsened
    from .data.coarse import pooled as pooled
    from .data.data import Data as Data
    from .data.data import arrays as arrays
    from .data.folder import image_folder as image_folder
    from .data.images import digits as digits
    from .data.images import fashion_mnist as fashion_mnist
    from .data.images import mnist as mnist
    from .data.images import static_mnist as static_mnist
    from .data.named import named as named
    from .data.painted import painted as painted
    from .data.pairs import paired as paired
    from .data.pairs import unpaired as unpaired
    from .data.segments import seven_segments as seven_segments
    from .data.shades import centred as centred
    from .data.shades import from_opponent as from_opponent
    from .data.shades import to_opponent as to_opponent
    from .data.stacked import stacked_digits as stacked_digits
    from .data.standardised import standardised as standardised
    from .data.toys import checkerboard as checkerboard
    from .data.toys import grid_of_gaussians as grid_of_gaussians
    from .data.toys import moons as moons
    from .data.toys import ring as ring
    from .data.toys import swirl as swirl
    from .errors import DivergenceError as DivergenceError
    from .evaluate.annealed import annealed as annealed
    from .evaluate.beside import memorised as memorised
    from .evaluate.beside import sample_figures as sample_figures
    from .evaluate.bounds import bounds as bounds
    from .evaluate.clusters import purity as purity
    from .evaluate.features import labelled_right as labelled_right
    from .evaluate.features import train_features as train_features
    from .evaluate.figure import Figure as Figure
    from .evaluate.frechet import lenet_fid as lenet_fid
    from .evaluate.frechet import lenet_kid as lenet_kid
    from .evaluate.judge import judged_right as judged_right
    from .evaluate.latents import Levels as Levels
    from .evaluate.latents import levels as levels
    from .networks.alike import minibatch as minibatch
    from .networks.convolutional import convolutional as convolutional
    from .networks.dcgan import dcgan_discriminator as dcgan_discriminator
    from .networks.dcgan import dcgan_generator as dcgan_generator
    from .networks.dcgan import patchgan as patchgan
    from .networks.dictionary import dictionary as dictionary
    from .networks.hidden import hidden as hidden
    from .networks.mlp import mlp as mlp
    from .networks.octaves import octaves as octaves
    from .networks.pixel import pixel_cnn as pixel_cnn
    from .networks.spectral import spectral as spectral
    from .networks.timed import timed_mlp as timed_mlp
    from .networks.translating import unet_generator as unet_generator
    from .networks.unet import unet as unet
    from .objectives.bound import Terms as Terms
    from .objectives.bound import elbo as elbo
    from .objectives.bound import elbo_terms as elbo_terms
    from .objectives.denoising import denoising as denoising
    from .objectives.denoising import masked as masked
    from .objectives.denoising import noisy as noisy
    from .objectives.sampled import reinforce as reinforce
    from .objectives.sampled import vimco as vimco
    from .objectives.wake_sleep import reweighted_wake as reweighted_wake
    from .objectives.wake_sleep import sleep as sleep
    from .objectives.wake_sleep import wake as wake
    from .objectives.weighted import dreg as dreg
    from .objectives.weighted import iwae as iwae
    from .objectives.weighted import log_weights as log_weights
    from .pair import Pair as Pair
    from .phases import asleep as asleep
    from .phases import expectation_maximisation as expectation_maximisation
    from .phases import maximised as maximised
    from .phases import reweighted_wake_sleep as reweighted_wake_sleep
    from .phases import variational as variational
    from .phases import wake_sleep as wake_sleep
    from .quantisation import quantised as quantised
    from .recipes import RECIPES as RECIPES
    from .recipes import Recipe as Recipe
    from .runs.run import Run as Run
    from .runs.run import load as load
    from .runs.training import resume as resume
    from .runs.training import train as train
    from .training.fit import fit as fit
    from .training.history import History as History
    from .training.history import read_history as read_history
    from .training.in_turn import in_turn as in_turn
    from .training.phase import Moment as Moment
    from .training.phase import Phase as Phase
    from .training.phase import adam as adam
    from .training.phase import sgd as sgd
    from .training.schedules import constant as constant
    from .training.schedules import cosine as cosine
    from .training.schedules import geometric as geometric
    from .training.schedules import linear as linear
    from .training.schedules import logarithmic as logarithmic
    from .zoo.adversarial.bigan import bigan as bigan
    from .zoo.adversarial.bigan import unflagged as unflagged
    from .zoo.adversarial.blurred import blurred as blurred
    from .zoo.adversarial.clipping import clamped as clamped
    from .zoo.adversarial.cycle import Cycle as Cycle
    from .zoo.adversarial.cycle import cycle as cycle
    from .zoo.adversarial.cycle import cycle_consistent as cycle_consistent
    from .zoo.adversarial.divergences import f_divergence as f_divergence
    from .zoo.adversarial.games import Game as Game
    from .zoo.adversarial.games import hinge as hinge
    from .zoo.adversarial.games import least_squares as least_squares
    from .zoo.adversarial.games import minimax as minimax
    from .zoo.adversarial.games import non_saturating as non_saturating
    from .zoo.adversarial.games import wasserstein as wasserstein
    from .zoo.adversarial.gan import Gan as Gan
    from .zoo.adversarial.gan import gan as gan
    from .zoo.adversarial.infogan import infogan as infogan
    from .zoo.adversarial.infogan import information as information
    from .zoo.adversarial.learning import adversarial as adversarial
    from .zoo.adversarial.monitors import instability as instability
    from .zoo.adversarial.monitors import variety as variety
    from .zoo.adversarial.penalties import gradient_penalty as gradient_penalty
    from .zoo.adversarial.penalties import r1 as r1
    from .zoo.adversarial.replay import Replay as Replay
    from .zoo.adversarial.translation import pix2pix as pix2pix
    from .zoo.adversarial.translation import translator as translator
    from .zoo.adversarial.unified import flagged as flagged
    from .zoo.adversarial.unified import unified as unified
    from .zoo.adversarial.unrolled import Unrolled as Unrolled
    from .zoo.adversarial.vae_gan import learned_similarity as learned_similarity
    from .zoo.adversarial.vae_gan import vae_gan as vae_gan
    from .zoo.autoencoder import autoencoder as autoencoder
    from .zoo.autoencoder import linear_autoencoder as linear_autoencoder
    from .zoo.bits import bits as bits
    from .zoo.bits import expanded as expanded
    from .zoo.boltzmann.annealed import annealed_log_z as annealed_log_z
    from .zoo.boltzmann.belief import Belief as Belief
    from .zoo.boltzmann.belief import classifier as classifier
    from .zoo.boltzmann.belief import dbn as dbn
    from .zoo.boltzmann.belief import stacked as stacked
    from .zoo.boltzmann.capacity import predicted_error as predicted_error
    from .zoo.boltzmann.capacity import recall_error as recall_error
    from .zoo.boltzmann.centring import recentre as recentre
    from .zoo.boltzmann.clamped import mean_field as mean_field
    from .zoo.boltzmann.clamped import sampled as sampled
    from .zoo.boltzmann.completion import completed as completed
    from .zoo.boltzmann.continuous import ContinuousMemory as ContinuousMemory
    from .zoo.boltzmann.contrast import sparse as sparse
    from .zoo.boltzmann.convolutional import convolutional_rbm as convolutional_rbm
    from .zoo.boltzmann.deep import dbm as dbm
    from .zoo.boltzmann.dense import DenseMemory as DenseMemory
    from .zoo.boltzmann.dense import exponential as exponential
    from .zoo.boltzmann.dense import polynomial as polynomial
    from .zoo.boltzmann.equilibrium import Equilibrium as Equilibrium
    from .zoo.boltzmann.equilibrium import energies as energies
    from .zoo.boltzmann.equilibrium import equilibrium as equilibrium
    from .zoo.boltzmann.exact import log_likelihood as log_likelihood
    from .zoo.boltzmann.exact import log_z as log_z
    from .zoo.boltzmann.fast import fast_persistent as fast_persistent
    from .zoo.boltzmann.general import boltzmann_machine as boltzmann_machine
    from .zoo.boltzmann.greedy import belief_bounds as belief_bounds
    from .zoo.boltzmann.greedy import greedy as greedy
    from .zoo.boltzmann.greedy import up_down as up_down
    from .zoo.boltzmann.ground_state import GroundState as GroundState
    from .zoo.boltzmann.ground_state import ground_state as ground_state
    from .zoo.boltzmann.hopfield import Hopfield as Hopfield
    from .zoo.boltzmann.hopfield import hebbian as hebbian
    from .zoo.boltzmann.hopfield import hopfield as hopfield
    from .zoo.boltzmann.hopfield import projection as projection
    from .zoo.boltzmann.kernel import BlockGibbs as BlockGibbs
    from .zoo.boltzmann.labels import discriminative as discriminative
    from .zoo.boltzmann.labels import label_log_prob as label_log_prob
    from .zoo.boltzmann.learning import contrastive_divergence as contrastive_divergence
    from .zoo.boltzmann.learning import exact_likelihood as exact_likelihood
    from .zoo.boltzmann.learning import persistent as persistent
    from .zoo.boltzmann.likelihood import likelihood as likelihood
    from .zoo.boltzmann.likelihood import log_z_figure as log_z_figure
    from .zoo.boltzmann.machine import Machine as Machine
    from .zoo.boltzmann.memory import Recall as Recall
    from .zoo.boltzmann.monitors import exploding as exploding
    from .zoo.boltzmann.monitors import health as health
    from .zoo.boltzmann.monitors import monitored as monitored
    from .zoo.boltzmann.monitors import pseudo_likelihood as pseudo_likelihood
    from .zoo.boltzmann.monitors import symptoms as symptoms
    from .zoo.boltzmann.pretraining import pretraining as pretraining
    from .zoo.boltzmann.restricted import rbm as rbm
    from .zoo.boltzmann.tempering import tempered as tempered
    from .zoo.diffusion.latent import LatentDiffusion as LatentDiffusion
    from .zoo.diffusion.latent import denoised_code as denoised_code
    from .zoo.diffusion.latent import latent_diffusion as latent_diffusion
    from .zoo.diffusion.learning import denoised as denoised
    from .zoo.diffusion.model import Diffusion as Diffusion
    from .zoo.diffusion.model import diffusion as diffusion
    from .zoo.diffusion.noise import Noise as Noise
    from .zoo.diffusion.noise import cosine_noise as cosine_noise
    from .zoo.diffusion.noise import linear_noise as linear_noise
    from .zoo.diffusion.optimal import optimal_variance as optimal_variance
    from .zoo.diffusion.schedule import learned_noise as learned_noise
    from .zoo.flow_matching.learning import matched as matched
    from .zoo.flow_matching.model import FlowMatching as FlowMatching
    from .zoo.flow_matching.model import flow_matching as flow_matching
    from .zoo.flow_matching.probability import probability_flow as probability_flow
    from .zoo.hierarchical import markovian_hierarchical_vae as markovian_hierarchical_vae
    from .zoo.hierarchical import markovian_hierarchy as markovian_hierarchy
    from .zoo.ladder import ladder_vae as ladder_vae
    from .zoo.mixture import clustered as clustered
    from .zoo.mixture import memberships as memberships
    from .zoo.mixture import mixture_vae as mixture_vae
    from .zoo.panorama import panorama as panorama
    from .zoo.predictability import Coder as Coder
    from .zoo.predictability import bit_information as bit_information
    from .zoo.predictability import predictability_game as predictability_game
    from .zoo.predictability import predictability_minimisation as predictability_minimisation
    from .zoo.sigmoid import sigmoid_belief_network as sigmoid_belief_network
    from .zoo.vae import vae as vae
    from .zoo.vector_quantised import vq_vae as vq_vae
    from .zoo.vector_quantised import vq_vae_2 as vq_vae_2

_HOME = {
    "conditionals.codebook": "Codebook",
    "conditionals.discretised": "discretised_gaussian discretised_logistic twice",
    "conditionals.features": "features",
    "conditionals.flow": "flow",
    "conditionals.neural": "neural",
    "conditionals.point": "Isotropic point",
    "conditionals.product": "Product",
    "conditionals.standard": "Standard",
    "data.binarise": "dynamic static thresholded",
    "data.coarse": "coarsened pooled",
    "data.data": "Data arrays",
    "data.folder": "image_folder",
    "data.images": "digits fashion_mnist mnist static_mnist",
    "data.named": "named",
    "data.painted": "painted",
    "data.pairs": "paired unpaired",
    "data.segments": "seven_segments",
    "data.shades": "centred from_opponent to_opponent",
    "data.stacked": "stacked_digits",
    "data.standardised": "standardised",
    "data.toys": "checkerboard grid_of_gaussians moons ring swirl",
    "errors": "DivergenceError",
    "evaluate.annealed": "annealed",
    "evaluate.beside": "memorised sample_figures",
    "evaluate.bounds": "bounds",
    "evaluate.clusters": "purity",
    "evaluate.features": "labelled_right train_features",
    "evaluate.figure": "Figure",
    "evaluate.frechet": "lenet_fid lenet_kid",
    "evaluate.judge": "judged_right",
    "evaluate.latents": "Levels levels",
    "networks.alike": "minibatch",
    "networks.convolutional": "convolutional",
    "networks.dcgan": "dcgan_discriminator dcgan_generator patchgan",
    "networks.dictionary": "dictionary",
    "networks.hidden": "hidden",
    "networks.mlp": "mlp",
    "networks.octaves": "octaves",
    "networks.pixel": "pixel_cnn",
    "networks.spectral": "spectral",
    "networks.timed": "timed_mlp",
    "networks.translating": "unet_generator",
    "networks.unet": "unet",
    "objectives.bound": "Terms elbo elbo_terms",
    "objectives.denoising": "denoising masked noisy",
    "objectives.sampled": "reinforce vimco",
    "objectives.wake_sleep": "reweighted_wake sleep wake",
    "objectives.weighted": "dreg iwae log_weights",
    "pair": "Pair",
    "phases": "asleep expectation_maximisation maximised reweighted_wake_sleep variational wake_sleep",
    "quantisation": "quantised",
    "recipes": "RECIPES Recipe",
    "runs.run": "Run load",
    "runs.training": "resume train",
    "training.fit": "fit",
    "training.history": "History read_history",
    "training.in_turn": "in_turn",
    "training.phase": "Moment Phase adam sgd",
    "training.schedules": "constant cosine geometric linear logarithmic",
    "zoo.adversarial.bigan": "bigan unflagged",
    "zoo.adversarial.blurred": "blurred",
    "zoo.adversarial.clipping": "clamped",
    "zoo.adversarial.cycle": "Cycle cycle cycle_consistent",
    "zoo.adversarial.divergences": "f_divergence",
    "zoo.adversarial.games": "Game hinge least_squares minimax non_saturating wasserstein",
    "zoo.adversarial.gan": "Gan gan",
    "zoo.adversarial.infogan": "infogan information",
    "zoo.adversarial.learning": "adversarial",
    "zoo.adversarial.monitors": "instability variety",
    "zoo.adversarial.penalties": "gradient_penalty r1",
    "zoo.adversarial.replay": "Replay",
    "zoo.adversarial.translation": "pix2pix translator",
    "zoo.adversarial.unified": "flagged unified",
    "zoo.adversarial.unrolled": "Unrolled",
    "zoo.adversarial.vae_gan": "learned_similarity vae_gan",
    "zoo.autoencoder": "autoencoder linear_autoencoder",
    "zoo.bits": "bits expanded",
    "zoo.boltzmann.annealed": "annealed_log_z",
    "zoo.boltzmann.belief": "Belief classifier dbn stacked",
    "zoo.boltzmann.capacity": "predicted_error recall_error",
    "zoo.boltzmann.centring": "recentre",
    "zoo.boltzmann.clamped": "mean_field sampled",
    "zoo.boltzmann.completion": "completed",
    "zoo.boltzmann.continuous": "ContinuousMemory",
    "zoo.boltzmann.contrast": "sparse",
    "zoo.boltzmann.convolutional": "convolutional_rbm",
    "zoo.boltzmann.deep": "dbm",
    "zoo.boltzmann.dense": "DenseMemory exponential polynomial",
    "zoo.boltzmann.equilibrium": "Equilibrium energies equilibrium",
    "zoo.boltzmann.exact": "log_likelihood log_z",
    "zoo.boltzmann.fast": "fast_persistent",
    "zoo.boltzmann.general": "boltzmann_machine",
    "zoo.boltzmann.greedy": "belief_bounds greedy up_down",
    "zoo.boltzmann.ground_state": "GroundState ground_state",
    "zoo.boltzmann.hopfield": "Hopfield hebbian hopfield projection",
    "zoo.boltzmann.kernel": "BlockGibbs",
    "zoo.boltzmann.labels": "discriminative label_log_prob",
    "zoo.boltzmann.learning": "contrastive_divergence exact_likelihood persistent",
    "zoo.boltzmann.likelihood": "likelihood log_z_figure",
    "zoo.boltzmann.machine": "Machine",
    "zoo.boltzmann.memory": "Recall",
    "zoo.boltzmann.monitors": "exploding health monitored pseudo_likelihood symptoms",
    "zoo.boltzmann.pretraining": "pretraining",
    "zoo.boltzmann.restricted": "rbm",
    "zoo.boltzmann.tempering": "tempered",
    "zoo.diffusion.latent": "LatentDiffusion denoised_code latent_diffusion",
    "zoo.diffusion.learning": "denoised",
    "zoo.diffusion.model": "Diffusion diffusion",
    "zoo.diffusion.noise": "Noise cosine_noise linear_noise",
    "zoo.diffusion.optimal": "optimal_variance",
    "zoo.diffusion.schedule": "learned_noise",
    "zoo.flow_matching.learning": "matched",
    "zoo.flow_matching.model": "FlowMatching flow_matching",
    "zoo.flow_matching.probability": "probability_flow",
    "zoo.hierarchical": "markovian_hierarchical_vae markovian_hierarchy",
    "zoo.ladder": "ladder_vae",
    "zoo.mixture": "clustered memberships mixture_vae",
    "zoo.panorama": "panorama",
    "zoo.predictability": "Coder bit_information predictability_game predictability_minimisation",
    "zoo.sigmoid": "sigmoid_belief_network",
    "zoo.vae": "vae",
    "zoo.vector_quantised": "vq_vae vq_vae_2",
}
_MODULE = {name: module for module, names in _HOME.items() for name in names.split()}

__all__ = sorted(_MODULE)


def __getattr__(name: str) -> Any:
    if name not in _MODULE:
        raise AttributeError(f"module 'deepgen' has no attribute {name!r}")
    globals()[name] = found = getattr(import_module(f".{_MODULE[name]}", __name__), name)
    return found


def __dir__() -> list[str]:
    return __all__
