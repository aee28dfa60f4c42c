"""From saved arrays to tables anyone can check."""
