"""Learning from data: the structure of a graph, and the numbers in it."""
