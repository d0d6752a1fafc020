"""The HTTP side: Flask routes, and what each request passes on its way in and out."""
