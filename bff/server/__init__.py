"""The production server: gunicorn with its settings, hooks and worker class.

The master process loads and checks the configuration before any fork; workers inherit the checked
values and read no files. The code is imported in the master too, so that replacing it on disk has
no effect before a restart.
"""
