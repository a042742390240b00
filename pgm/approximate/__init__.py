"""How approximate engines work: one room a method; the engines themselves are options, in `pgm.engines`."""
