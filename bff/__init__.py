"""A backend-for-frontend aggregation proxy: declared views, answered as one small document.

The app is `bff.app.create_app`; importing this package alone imports no web framework.
"""

from bff.errors import BffError, ConfigError
from bff.model.principal import NOBODY, Principal
from bff.model.python import reads, view

__all__ = ["NOBODY", "BffError", "ConfigError", "Principal", "reads", "view"]
