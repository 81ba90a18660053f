"""Serve the Evidence tab, the desk, the case form and the explorer. Nothing can be changed through them."""

from __future__ import annotations

from importlib.resources import files
from typing import Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, HTTPException, Path, Query, Request, Response
from fastapi.exception_handlers import request_validation_exception_handler
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse

from dispute_provider._documents import RenderingError
from dispute_provider._documents.renderer import MAX_WIDTH
from dispute_provider._evidence.file_types import PNG, recognize
from dispute_provider._state.evidence_store import EvidenceStoreError
from dispute_provider._ui import cases, describe, desk, explorer
from dispute_provider._ui.access import LOGGED_IN, MAY_ANSWER, AsciiJsonResponse, Guarded
from dispute_provider._ui.document_pages import DocumentPages, MissingDocumentError
from dispute_provider._ui.ledger import ledger_problem
from dispute_provider._ui.reading import UnreadableError, read, stored_evidence
from dispute_provider._ui.records import TaskDep

_TYPES = {
    "html": "text/html; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "svg": "image/svg+xml",
}
# The files of the pages, by their addresses: ``view`` and ``desk`` are the pages themselves.
_STATIC = {
    file.name.removesuffix(".html"): file
    for file in files("dispute_provider._ui").joinpath("static").iterdir()
}
_TASK = "/dags/{dag_id}/runs/{run_id}/tasks/{task_id}/{map_index}"

page = APIRouter(dependencies=[LOGGED_IN])
data = APIRouter(prefix=_TASK, dependencies=[MAY_ANSWER])


def create() -> Guarded:
    """Return the application that Airflow mounts."""
    app = FastAPI(
        title="Dispute evidence", docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False
    )
    app.state.documents = DocumentPages()
    # The desk's lists precede the pages, whose path takes any name.
    for router in (
        desk.lists,
        explorer.operations,
        page,
        data,
        desk.of_review,
        cases.of_case,
        explorer.requests,
    ):
        app.include_router(router)
    app.add_exception_handler(MissingDocumentError, _not_stored(404))
    app.add_exception_handler(RenderingError, _problem(422))
    app.add_exception_handler(EvidenceStoreError, _not_stored(424))
    app.add_exception_handler(UnreadableError, _problem(424))
    app.add_exception_handler(RequestValidationError, _no_such_page)
    return Guarded(app)


def _problem(status: int) -> Any:
    def answer(request: Request, error: Exception) -> JSONResponse:
        return AsciiJsonResponse({"detail": str(error)}, status)

    return answer


def _not_stored(status: int) -> Any:
    def answer(request: Request, error: Exception) -> JSONResponse:
        return AsciiJsonResponse({"detail": ledger_problem() or str(error)}, status)

    return answer


async def _no_such_page(request: Request, error: Exception) -> Response:
    """Answer 404 if a part of the path is not a valid name."""
    assert isinstance(error, RequestValidationError)
    if any(each["loc"][0] == "path" for each in error.errors()):
        return AsciiJsonResponse({"detail": "Page not found."}, 404)
    return await request_validation_exception_handler(request, error)


@page.get("/{name}")
def static(name: str) -> Response:
    """Return the page, its script or its style sheet."""
    if name not in _STATIC:
        raise HTTPException(404, "Page not found.")
    file = _STATIC[name]
    return Response(file.read_bytes(), headers={"Content-Type": _TYPES[file.name.rpartition(".")[2]]})


@data.get("")
def show_task(task: TaskDep) -> Response:
    """Return the disputes of a task."""
    return AsciiJsonResponse(describe.task(task))


@data.get("/disputes/{key}")
async def show_dispute(task: TaskDep, key: str) -> Response:
    """Return what a dispute holds now, compared with the reviewed evidence."""
    record = task.record(key)
    if record is None:
        raise HTTPException(
            404, "Dispute not found in this task, or its evidence has changed. Reload the page."
        )
    if record.unverified:
        raise HTTPException(404, record.reason)
    earlier, not_written = stored_evidence(record.earlier), stored_evidence(record.not_written)
    return AsciiJsonResponse(describe.reading(record, await read(record), earlier, not_written))


Sha256 = Annotated[str, Path(pattern=r"^[0-9a-f]{64}$")]


def documents_of(request: Request, task: TaskDep, sha256: Sha256) -> DocumentPages:
    """Return the document reader if a record of this task has the document.

    :raises HTTPException: 404, if no record has it.
    """
    if sha256 not in task.documents:
        raise HTTPException(404, "Document not found in this task.")
    documents: DocumentPages = request.app.state.documents
    return documents


DocumentsDep = Annotated[DocumentPages, Depends(documents_of)]


@data.get("/documents/{sha256}")
async def show_document(task: TaskDep, documents: DocumentsDep, sha256: Sha256) -> Response:
    """Return a document's type, size and number of pages."""
    inspection, size = await documents.inspect(sha256, task.drawing(sha256))
    return AsciiJsonResponse(
        {"content_type": inspection.content_type, "pages": inspection.pages, "size": size}
    )


@data.get("/documents/{sha256}/pages/{page}")
async def show_page(
    task: TaskDep,
    documents: DocumentsDep,
    sha256: Sha256,
    page: Annotated[int, Path(ge=1, le=10_000)],
    width: Annotated[int, Query(ge=100, le=MAX_WIDTH)] = 1200,
) -> Response:
    """Return a page of a document as PNG or JPEG."""
    picture = await documents.page(sha256, task.drawing(sha256), page, width)
    kind = recognize(picture) or PNG
    return Response(picture, media_type=kind.content_type)


@data.get("/documents/{sha256}/original")
async def download(task: TaskDep, documents: DocumentsDep, sha256: Sha256) -> Response:
    """Return the original document as a download."""
    content, name = await documents.original(sha256, task.drawing(sha256))
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(content, media_type="application/octet-stream", headers=headers)
