"""The management listener: health, gauges, the cache's administration, draining."""
