"""Widgets that several pages share; each owns its session keys and returns a plain value."""
