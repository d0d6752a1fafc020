"""Views become answers: plans, templates, fan-out, the conductor, shapes."""
