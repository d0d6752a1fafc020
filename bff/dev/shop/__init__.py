"""The demo shop: its configuration, and what generates the recordings of its six services."""
