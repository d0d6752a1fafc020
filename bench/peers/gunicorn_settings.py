"""The app's own settings of gunicorn (config/gunicorn.conf.py), for a page without its files."""

import os

bind = os.environ["BENCH_BIND"]
worker_class = "gthread"
workers = 1
threads = 16
worker_connections = 1000
keepalive = 75
timeout = 30
control_socket_disable = True
accesslog = None
worker_tmp_dir = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108 - as there
