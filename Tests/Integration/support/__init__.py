"""What the integration tests share: see case.py."""
from .case import Build, Case, write_tree
from .images import Layout, base_layout, write_layout
from .processes import mounts_below, processes_with, unmount_below, wait_until

__all__ = ["Build", "Case", "Layout", "base_layout", "mounts_below", "processes_with", "unmount_below", "wait_until",
           "write_layout", "write_tree"]
