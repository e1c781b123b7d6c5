"""The version of this package, which every bundle names."""

__version__ = "0.1.0"
