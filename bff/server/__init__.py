"""gunicorn as `bff serve` runs it: its settings, its hooks, and reloads that cannot end it.

The master reads and checks the configuration before any fork; workers inherit the checked values
and never read a file. The code is imported in the master too, so that replacing it on disk changes
nothing before a restart.
"""
