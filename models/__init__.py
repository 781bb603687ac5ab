"""Predictions with their uncertainty: training, evaluation and the registry."""
