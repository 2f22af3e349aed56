"""Training: clips on disk to a model's folder, one stage at a time."""
