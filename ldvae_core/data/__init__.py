"""Raw counts: reading, checking, choosing genes, splitting cells."""
