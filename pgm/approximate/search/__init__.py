"""Looking for the best joint states of a field: bounds from its dual, climbs, and what engines share."""
