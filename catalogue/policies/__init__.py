"""Policies: dated rules, amounts, materials and stages as data, and the engine that reads them."""
