"""From counts and settings to a trained model."""
