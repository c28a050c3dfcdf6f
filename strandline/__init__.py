"""Precision medicine on a lab's own AWS account, or on one machine."""

__version__ = "0.1.0"
