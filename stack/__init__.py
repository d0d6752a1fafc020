"""The shop as it is deployed, on one machine: what `docker compose up` and `make stack` need."""
