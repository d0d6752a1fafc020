"""Load time, pure: expressions, templates, shapes and dependencies become the plan of a view."""
