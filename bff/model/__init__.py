"""The words of the product, as frozen values; imports nothing of ours."""
