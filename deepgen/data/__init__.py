"""What goes in: named tensors, one row an observation, from files, from scikit-learn, or drawn on the spot."""
