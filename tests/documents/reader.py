"""Read and draw every document of a folder, and report the results and the memory used.

It runs as a separate process, so that all of its children belong to the renderer.
"""

from __future__ import annotations

import json
import resource
import sys
from pathlib import Path
from typing import Any

from dispute_provider._documents import Renderer, RenderingError

SECONDS = 6.0


def main(folder: Path) -> dict[str, Any]:
    results: dict[str, Any] = {}
    with Renderer(SECONDS) as renderer:
        for path in sorted(folder.iterdir()):
            content = path.read_bytes()
            try:
                found = renderer.inspect(content)
                inspected: Any = [found.content_type, found.pages, found.card_number]
            except RenderingError as error:
                inspected = str(error)
            try:
                drawn: Any = list(_size(renderer.render(content, 1)))
            except RenderingError as error:
                drawn = str(error)
            results[path.name] = {"inspected": inspected, "drawn": drawn}
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
    return {"documents": results, "peak": peak}


def _size(png: bytes) -> tuple[int, int]:
    return int.from_bytes(png[16:20], "big"), int.from_bytes(png[20:24], "big")


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]))))
