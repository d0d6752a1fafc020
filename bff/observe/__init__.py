"""Seeing what happens: observers hear frozen records and answer none."""
