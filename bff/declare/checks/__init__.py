"""Checks of a decoded configuration: errors and warnings that concern several of its parts."""
