"""操作留痕: who did what to which subject, in a chain that shows any tampering."""
