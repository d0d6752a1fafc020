"""The management listener: health checks, gauges, cache administration, draining."""
