"""Lindenhof, a small booking platform: an example of a host of Pencilled, mounted in it or beside it."""
