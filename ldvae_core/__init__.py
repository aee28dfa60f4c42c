"""Gene Program Explorer: data, model, training, analysis, figures and runs, without any screen."""

__version__ = "0.1.0"
