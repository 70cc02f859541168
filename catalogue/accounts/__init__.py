"""账号: users, roles, sign-in and who may enter which page."""
