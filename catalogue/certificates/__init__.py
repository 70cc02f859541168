"""Certificates: numbering, drawing, signing, verifying, and the status on a day."""
