"""How to answer: one small frozen record of options an engine."""
