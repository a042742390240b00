"""How models learn: phases, one short loop, checkpoints that resume exactly."""
