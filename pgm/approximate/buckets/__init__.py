"""Mini-bucket elimination: sums over variables in turn, cut into tables that fit, which bound what they replace."""
