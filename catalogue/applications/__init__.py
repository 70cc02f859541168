"""申报: drafts, submission, automatic check, correction, and the one table of states."""
