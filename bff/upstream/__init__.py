"""Upstream services: connections, requests, and the resilience policies of each service."""
