"""The LDVAE and its relatives."""
