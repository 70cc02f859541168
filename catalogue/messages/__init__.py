"""待办: each person's home page is the list of what waits for them."""
