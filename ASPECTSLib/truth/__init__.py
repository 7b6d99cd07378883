"""Truth for training, region by region, made of a perfusion map or of an infarct mask."""
