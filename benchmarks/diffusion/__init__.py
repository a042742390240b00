"""How good diffusion models are, and how fast, beside peers measured in the same run."""
