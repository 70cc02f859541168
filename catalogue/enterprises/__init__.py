"""申报单位: the firm's profile, people, honours and bank account."""
