"""The server on more than one machine: the application that is named to Ray Serve (extra ``ray``).

    serve run restr.server.ray_app:app replicas=4 cpus=2 model=dogs=runs/dogs rate-limit=600

Every replica is ``create_app``. The machines share the files of kept images (``files.ray_store``).
"""

from __future__ import annotations

from restr.server.processes.ray_replicas import app as app
