"""Services: how requests reach them, and how what they do is kept within bounds."""
