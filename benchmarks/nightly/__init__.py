"""Nights over a window of days that slides, with and without a prefix cache that is kept between them."""
