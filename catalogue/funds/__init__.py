"""资金: yearly budgets, awards and their ledger, and the lists that finance pays from."""
