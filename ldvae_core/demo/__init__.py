"""The embedded demo: counts of a mouse embryo, and one finished run of them."""
