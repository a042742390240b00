"""Message passing on random fields: sums, maxima and anything between, with a power for each factor."""
