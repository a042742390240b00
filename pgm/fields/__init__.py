"""Random fields in flat arrays: what every approximate engine for finite variables works on."""
