"""Journeys: the portal as people use it, in a real browser on real processes."""
