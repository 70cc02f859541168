"""Files received and made: a content-addressed store and the checks on arrival."""
