"""The screens: one module a page, started by shell.py; what they are made of is in parts/."""
