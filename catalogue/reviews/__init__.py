"""审查: formal check and decision, by two different people."""
