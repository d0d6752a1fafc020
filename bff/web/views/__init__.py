"""Views as routes: parameters in, conducted or cached answers out."""
