"""The home page's figures, computed from the tables that pay."""
