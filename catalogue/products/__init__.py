"""产品: what an enterprise made, its specifications and patents."""
