"""The invented shop behind the recordings: its products, people and orders, from a seed."""
