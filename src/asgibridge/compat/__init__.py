"""asgiref's modules on asgibridge, for software that imports asgiref.

``asgibridge.compat.install_as_asgiref()``, called before anything has imported
asgiref, makes ``import asgiref`` and ``from asgiref.sync import sync_to_async``
mean the modules of this package.  Everything in them works on one default
bridge, which is built when it is first needed; `configure` replaces it.
"""

from ._default import configure as configure, default_bridge as default_bridge
from ._install import install_as_asgiref as install_as_asgiref

__all__ = ("__version__", "configure", "default_bridge", "install_as_asgiref")

__version__ = "3.13.0"
"""The version of asgiref that this stands in for."""
