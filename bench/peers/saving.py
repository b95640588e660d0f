"""Rows 3, 4, 8, 9: saving."""

import os

from loading import SLOW
from measure import best
from scene import GIB, case, many, transformer


def savers(scene, driver, worker, tensorflow, durable, **hooks):
    """A case for ckpt and for each peer that saves the model."""
    file = scene.file("save.out")
    fields = {"file": file, "durable": durable, **hooks}
    cases = [case("ckpt", "ckpt", driver, "save", **fields)]
    cases += [case(format, "peer", worker, "save", format=format, **fields)
              for format in ("safetensors", "torch", "numpy")]
    if tensorflow:
        cases.append(case("tensorflow", "peer", tensorflow, "save", format="tensorflow", **fields))
    return cases


def start(scene, lines):
    """The driver and the workers, each with the same model in memory."""
    layout = scene.layout("save", lines)
    driver, worker = scene.driver(), scene.worker()
    tensorflow = scene.worker() if scene.settings.tensorflow else None
    for process in filter(None, (driver, worker, tensorflow)):
        process("model", layout=layout)
    if not tensorflow:
        scene.row.not_measured("tensorflow", "it is not installed")
    return driver, worker, tensorflow


def durable(scene):
    driver, worker, tensorflow = start(scene, transformer(scene.size(2 * GIB)))
    before = scene.remove("save.out")
    cases = savers(scene, driver, worker, tensorflow, durable=1, before=before)
    limit = {"file": scene.file("save.out"), "before": before}
    cases.append(case("limit: pwrite + sync_file_range", "limit", driver, "limit_write", mode="early", **limit))
    if driver("direct_io", file=scene.folder)["allowed"]:
        cases.append(case("limit: direct writes", "limit", driver, "limit_write", mode="direct", **limit))
    else:
        scene.row.not_measured("limit: direct writes", "the file system refuses O_DIRECT")
    scene.measure(cases)
    scene.row.share_of(best(cases, "limit"), cases[0], 0.95)
    scene.row.faster_than(best(cases, "peer"), cases[0], 1.4)


def cached(scene):
    """Between rounds a file holds the memory of the page cache, lest a new one waits for the host's memory."""
    driver, worker, tensorflow = start(scene, transformer(scene.size(2 * GIB)))
    holder, written = scene.file("holder"), scene.file("save.out")
    driver("limit_write", file=holder, mode="cached")

    def hold():
        parts = sorted(scene.folder.glob("save.out*"), key=lambda file: file.stat().st_size)
        os.replace(parts[-1], holder)
        scene.remove("save.out")()
        with open(holder, "rb") as file:
            os.fsync(file.fileno())

    hooks = {"before": lambda: holder.unlink(), "after": hold}
    cases = savers(scene, driver, worker, tensorflow, durable=0, **hooks)
    cases.append(case("limit: write(2)", "limit", driver, "limit_write", file=written, mode="cached", **hooks))
    scene.measure(cases)
    scene.row.share_of(cases[-1], cases[0], 0.95)
    scene.row.faster_than(best(cases, "peer"), cases[0], 1.2)


def background(scene):
    layout = scene.layout("save", transformer(scene.size(GIB)))
    driver, worker, file = scene.driver(), scene.worker(), scene.file("async.out")
    for process in (driver, worker):
        process("model", layout=layout)
    before = scene.remove("async.out")
    copy = case("ckpt stall", "ckpt", driver, "save_async", before, file=file, mode="copy")
    hand_off = case("ckpt hand-off", "ckpt", driver, "save_async", before, file=file, mode="hand_off")
    limit = case("limit: memcpy, all cores", "limit", driver, "limit_memcpy", threads=0)
    peer = case("torch DCP async_save stall", "peer", worker, "save_async", file=scene.file("dcp"))
    scene.measure([copy, hand_off, limit, peer])
    row = scene.row
    row.times_of(copy, limit, 1.15)
    row.at_most("ckpt hand-off, µs", hand_off.median() * 1e6, 50)
    for measured, goal in ((copy, 1.05), (peer, None)):
        row.at_most(f"training step beside {measured.name.removesuffix(' stall')} to one alone",
                    measured.median("beside") / measured.median("alone"), goal)
    row.faster_than(peer, copy, None)


def small_tensors(scene):
    """As many small tensors, against the same bytes in one."""
    count = 100_000 if not scene.settings.quick else 2_000
    lines = many(count, 1024)
    file, row = scene.file, scene.row
    driver, single, worker = scene.driver(), scene.driver(), scene.worker()
    layout = scene.layout("small", lines)
    for process in (driver, worker):
        process("model", layout=layout)
    single("model", layout=scene.layout("one", [f"all\tf32\t{count * 1024}"]))
    before = scene.remove("save.out")
    fields = {"file": file("save.out"), "before": before}
    saves = [case("save: ckpt", "ckpt", driver, "save", **fields),
             case("save: limit: one tensor", "limit", single, "save", **fields)]
    saves += [case(f"save: {format}", "peer", worker, "save", format=format, **fields)
              for format in ("safetensors", "torch")]
    scene.measure(saves)
    before()
    driver("save", file=file("small.ckpt"))
    single("save", file=file("one.ckpt"))
    few = {"paths": lines[count // 2].split("\t")[0]}
    opens = [scene.repeated("open: ckpt", "ckpt", driver, "open_one", file=file("small.ckpt"), **few),
             scene.repeated("open: limit: one tensor", "limit", single, "open_one", file=file("one.ckpt"), paths="all")]
    binds = [case("bind all: ckpt", "ckpt", driver, "bind_all", file=file("small.ckpt"))]
    row.not_measured("open, bind all: torch", SLOW)
    if scene.peer_file(worker, "small.safetensors", "safetensors"):
        fields = {"file": file("small.safetensors"), "format": "safetensors"}
        opens.append(scene.repeated("open: safetensors", "peer", worker, "open_one", **fields, **few))
        binds.append(case("bind all: safetensors", "peer", worker, "bind_all", **fields))
    scene.measure(opens + binds)
    row.times_of(saves[0], saves[1], 1.3)
    together, of_one = saves[0].median() + binds[0].median(), saves[1].median() + opens[1].median()
    row.at_most("save, open and bind all: ckpt to one tensor", together / of_one, 1.3)
    row.times_of(opens[0], opens[1], None)  # row 1 has the goal of an open alone
    row.at_most("bind all: ns a tensor", binds[0].median() / count * 1e9, 100)
    for cases in (saves, opens, binds):
        row.faster_than(best(cases, "peer"), cases[0], None)
