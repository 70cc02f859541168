"""The published catalogue: entries, their index, search, and the pages that show them."""
