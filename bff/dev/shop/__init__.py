"""The demo shop: its configuration, and the generator of the recordings of its six services."""
