"""Committed demo data: policies, taxonomies, real product lists, invented firms and stories."""
