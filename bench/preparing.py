"""Measure what preparing documents costs, and whether a batch with exhibits keeps the rate of the API."""

from __future__ import annotations

import asyncio
import io
import json
import os
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from PIL import Image, ImageDraw

from bench import limits, ours
from bench.timing import Table

# The sides of photos of 12, 8 and 3 megapixels, and the quality at which 48 of them have 143 MB.
_SIDES = ((4032, 3024), (3264, 2448), (2048, 1536))
_QUALITY = 85
_PHOTOS = 48
_TYPES = ("application/pdf", "image/jpeg", "image/png")
_DISPUTES, _ROUNDS = 100, 3
_MESSAGE = "Hello, where is my order 10432? It was signed for at the door on 12 November."


class _Cost(NamedTuple):
    """What a child process used.

    :param seconds: of CPU.
    :param peak: resident memory in MiB.
    """

    seconds: float
    peak: float


def shrinking(table: Table) -> dict[str, float | None]:
    """Shrink 48 phone photos to each rung of the ladder, in a child of its own.

    :returns: CPU of the last rung over the first, and the child's peak memory at the last in MiB; None if
        the system does not report a child's memory.
    """
    from dispute_provider._documents.ladder import LADDER
    from dispute_provider._documents.preparing import Preparer

    photos = [_photo(side) for side in _SIDES]
    with Preparer() as preparer:
        sizes = [_sizes(preparer, photo, len(LADDER)) for photo in photos]
    total = sum(len(photo) for photo in photos) * _PHOTOS // len(photos)
    costs = []
    for number, rung in enumerate(LADDER):
        with Preparer() as preparer:
            started = _cost_of_children()
            made = 0
            for index in range(_PHOTOS):
                photo, most = photos[index % len(photos)], sizes[index % len(photos)][number]
                made += len(preparer.prepare(photo, ["shrink"], _TYPES, most).content)
            cost = _cost_of_children()
        costs.append(_Cost(cost.seconds - started.seconds, cost.peak))
        about = f"{_PHOTOS} photos, {total / 1e6:.0f} MB, shrunk"
        sizes_now = {"MB": round(made / 1e6, 1), "peak_mib": cost.peak}
        table.add(
            about, f"{rung.dpi} dpi, quality {rung.quality}", costs[-1].seconds, "s of CPU", **sizes_now
        )
    return {
        "shrink_cpu_last_vs_first": round(costs[-1].seconds / costs[0].seconds, 2),
        "shrink_peak_mib": costs[-1].peak or None,
    }


def _sizes(preparer: Any, photo: bytes, rungs: int) -> list[int]:
    """Return the bytes of a photo at each rung of the ladder."""
    sizes, most = [], len(photo) - 1
    for _ in range(rungs):
        sizes.append(len(preparer.prepare(photo, ["shrink"], _TYPES, most).content))
        most = sizes[-1] - 1
    return sizes


def _photo(size: tuple[int, int]) -> bytes:
    """Return a JPEG with a little detail everywhere, as of a parcel in front of a door."""
    grain = Image.effect_noise(size, 22)
    light = Image.linear_gradient("L").resize(size)
    written = io.BytesIO()
    Image.merge("RGB", (Image.blend(grain, light, 0.4), grain, light)).save(written, "JPEG", quality=_QUALITY)
    return written.getvalue()


def _cost_of_children() -> _Cost:
    """Return the CPU of this process's living children, and the peak memory of the largest."""
    seconds = peak = 0.0
    ticks = os.sysconf("SC_CLK_TCK")
    for children in Path("/proc/self/task").glob("*/children"):
        for child in children.read_text().split():
            fields = Path("/proc", child, "stat").read_text().rpartition(")")[2].split()
            seconds += (int(fields[11]) + int(fields[12])) / ticks
            status = Path("/proc", child, "status").read_text()
            kib = next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))
            peak = max(peak, round(int(kib) / 1024, 1))
    return _Cost(seconds, peak)


def batch(table: Table) -> dict[str, float]:
    """Stage disputes with exhibits at Stripe's limits, and others with the same documents already joined.

    In test mode, the limits take longer than the work on two cores; in live mode, they do with more cores.

    :returns: the time of the others over the time with exhibits, in test mode and in live mode, and the CPU
        of the others over the CPU with exhibits.
    """
    from dispute_provider._documents.preparing import Preparer
    from dispute_provider.sandbox import Sandbox

    with tempfile.TemporaryDirectory(prefix="bench-") as home, Sandbox() as sandbox:
        folder = Path(home)
        os.environ["AIRFLOW__DISPUTE__CASE_ROOTS"] = home
        with Preparer() as preparer:
            _write_documents(folder, preparer)
        test = _ratios(table, sandbox, folder, limits.TEST)
        with limits.live_limits():
            live = _ratios(table, sandbox, folder, limits.LIVE["account"])
    return {
        "exhibits_vs_documents_25": test.time,
        "exhibits_vs_documents_100": live.time,
        "exhibits_cpu_vs_documents": live.cpu,
    }


class _Spent(NamedTuple):
    """What a batch took, or one batch over another.

    :param time: seconds.
    :param cpu: seconds of this process, which has the sandbox, and of the children that have ended.
    """

    time: float
    cpu: float


def _ratios(table: Table, sandbox: Any, folder: Path, rate: float) -> _Spent:
    """Return the time and CPU of a batch without exhibits, divided by those of one with exhibits.

    :param rate: of the account, in requests per second.
    """
    rounds = list[dict[str, _Spent]]()
    # The first round warms up.
    for number in range(_ROUNDS + 1):
        spent = {}
        for way, receipt in _RECEIPTS.items():
            disputes = [sandbox.create_dispute(api="stripe")["id"] for _ in range(_DISPUTES)]
            cases = [_case(dispute, receipt(index)) for index, dispute in enumerate(disputes)]
            os.environ["AIRFLOW__DISPUTE__EVIDENCE_STORE"] = f"{folder}/store {rate:g} {number} {way}"
            spent[way] = _spent(sandbox.url, cases, folder, rate)
        rounds.append(spent)
    del rounds[0]
    for way in _RECEIPTS:
        cpu = median(spent[way].cpu for spent in rounds) / _DISPUTES * 1000
        about = f"{_DISPUTES} disputes with documents at {rate:g}/s"
        table.add(about, way, median(spent[way].time for spent in rounds), "s", cpu_ms_each=round(cpu, 1))
    ratios = [
        (others.time / exhibits.time, others.cpu / exhibits.cpu)
        for others, exhibits in ((spent["already joined"], spent["exhibits"]) for spent in rounds)
    ]
    return _Spent(*(round(median(each), 3) for each in zip(*ratios, strict=True)))


def _exhibits(index: int) -> dict[str, Any]:
    return {"exhibits": [{"file": name} for name in _names(index)]}


def _already_joined(index: int) -> dict[str, Any]:
    return {"file": f"{index}.pdf"}


_RECEIPTS = {"already joined": _already_joined, "exhibits": _exhibits}


def _names(index: int) -> list[str]:
    """Return the files of a dispute. Its chat and its photo belong to no other one."""
    return ["terms.pdf", f"chat {index}.png", f"doorstep {index}.jpg"]


def _write_documents(folder: Path, preparer: Any) -> None:
    """Write the exhibits of each dispute, and the document that is joined from them."""
    Image.new("RGB", (1240, 1754), "white").save(folder / "terms.pdf", resolution=150)
    chat = Image.new("RGB", (1170, 2532), "white")
    for top in range(40, chat.height, 40):
        ImageDraw.Draw(chat).text((30, top), _MESSAGE, fill="black", font_size=28)
    photo = _photo(_SIDES[-1])
    for index in range(_DISPUTES):
        terms, *others = (folder / name for name in _names(index))
        ImageDraw.Draw(chat).rectangle((0, 0, chat.width, 38), fill="navy")
        ImageDraw.Draw(chat).text((30, 0), f"Order {index}", fill="white", font_size=28)
        chat.save(others[0])
        comment = f"Order {index}".encode()
        others[1].write_bytes(
            photo[:2] + b"\xff\xfe" + (len(comment) + 2).to_bytes(2, "big") + comment + photo[2:]
        )
        joined = preparer.join([(each.name, each.read_bytes()) for each in (terms, *others)]).content
        (folder / f"{index}.pdf").write_bytes(joined)


def _case(dispute: str, receipt: dict[str, Any]) -> dict[str, Any]:
    return {"provider": "stripe", "dispute": dispute, "evidence": {"receipt": receipt}}


def _spent(url: str, cases: list[dict[str, Any]], folder: Path, rate: float) -> _Spent:
    from dispute_provider._tasks.record_lists import records_of
    from dispute_provider.operators.evidence import StageEvidenceOperator
    from dispute_provider.sandbox import STRIPE_KEY

    connection = {
        "conn_type": "stripe",
        "host": url,
        "password": STRIPE_KEY,
        "extra": {"rate_limit": rate},
    }
    os.environ["AIRFLOW_CONN_BENCH_SANDBOX"] = json.dumps(connection)
    task = StageEvidenceOperator(task_id="stage", cases=cases, conn_id="bench_sandbox", folder=str(folder))
    began, used = time.perf_counter(), sum(os.times()[:4])
    returned = asyncio.run(task.aexecute(ours.context()))
    spent = _Spent(time.perf_counter() - began, sum(os.times()[:4]) - used)
    if others := [record.reason for record in records_of(returned) if record.state != "staged"]:
        raise RuntimeError(f"{len(others)} were not staged: {others[0]}")
    return spent
