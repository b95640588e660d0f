"""Rows 1, 2, 5, 6, 7: opening, reading, restoring."""

from measure import best
from readahead import readahead
from scene import GIB, MIB, case, many, some_paths, transformer

# What a library takes a quarter of a minute for would make the run hours long.
SLOW = "opening 10,000 takes seconds (row 1), and it grows with their number: too long for seven rounds"


def open_bind_one(scene):
    goals = {10: 2, 1_000: 2, 10_000: None, 100_000: 3, 1_000_000: 5}
    if scene.settings.quick:
        goals = {10: 2, 1_000: 2}
    for count, goal in goals.items():
        open_one_of(scene, count, goal)


def open_one_of(scene, count, goal):
    driver, worker, row = scene.driver(), scene.worker(), scene.row
    lines = many(count)
    layout, paths = scene.layout("many", lines), some_paths(lines)
    for process in (driver, worker):
        process("model", layout=layout)
    file = scene.file("many.ckpt")
    driver("save", file=file)
    cases = [scene.repeated(f"ckpt, {count:,} tensors", "ckpt", driver, "open_one", file=file, paths=paths),
             scene.repeated(f"limit: open and mmap, {count:,} tensors", "limit", driver, "limit_open", file=file)]
    for format in ("safetensors", "torch", "gguf"):
        if count > 10_000 and format != "safetensors":
            row.not_measured(f"{format}, {count:,} tensors", SLOW)
        elif scene.peer_file(worker, f"many.{format}", format):
            cases.append(scene.repeated(f"{format}, {count:,} tensors", "peer", worker, "open_one",
                                        file=scene.file(f"many.{format}"), format=format, paths=paths))
    scene.measure(cases)
    row.times_of(cases[0], cases[1], goal)
    for peer in cases[2:]:
        row.faster_than(peer, cases[0], 1000 if count == 100_000 and peer.name.startswith("safetensors") else None)
    scene.close()


def bind_all(scene):
    count = 100_000 if not scene.settings.quick else 10_000
    driver, worker = scene.driver(), scene.worker()
    layout = scene.layout("many", many(count))
    for process in (driver, worker):
        process("model", layout=layout)
    file, other = scene.file("many.ckpt"), scene.file("many.safetensors")
    driver("save", file=file)
    worker("save", file=other, format="safetensors")
    cases = [case("ckpt", "ckpt", driver, "bind_all", file=file),
             case("limit: one pass over the index", "limit", driver, "limit_records", file=file),
             case("safetensors", "peer", worker, "bind_all", file=other, format="safetensors")]
    scene.measure(cases)
    scene.row.at_most("ckpt, ns a tensor", cases[0].median() / count * 1e9, 100)
    scene.row.times_of(cases[0], cases[1], None)
    scene.row.faster_than(cases[2], cases[0], None)


def files(scene, size, formats):
    """A driver and a worker with the same layout, and a file of each format."""
    layout = scene.layout("model", transformer(size))
    driver, worker = scene.driver(), scene.worker()
    for process in (driver, worker):
        process("model", layout=layout)
    driver("save", file=scene.file("model.ckpt"))
    for format in formats:
        worker("save", file=scene.file(f"model.{format}"), format=format)
    return driver, worker


def warm(scene):
    formats = ("safetensors", "torch")
    driver, worker = files(scene, scene.size(GIB), formats)
    row, file = scene.row, scene.file("model.ckpt")
    for name in ("ckpt", *formats):
        driver("warm", file=scene.file(f"model.{name}"))
    groups = []
    for threads, cores in ((1, "1 core"), (0, "all cores")):
        add = {"threads": threads}
        groups.append([case(f"sum: ckpt, {cores}", "ckpt", driver, "sum", file=file, **add),
                       case(f"sum: limit: memory, {cores}", "limit", driver, "limit_sum", **add),
                       *(case(f"sum: {name}, {cores}", "peer", worker, "sum_file", file=scene.file(f"model.{name}"),
                              format=name, **add) for name in formats)])
        groups.append([case(f"verify: ckpt, {cores}", "ckpt", driver, "verify", file=file, **add),
                       case(f"verify: limit: XXH3 of memory, {cores}", "limit", driver, "limit_xxh3", **add)])
    scene.measure([one for group in groups for one in group])
    for group in groups:
        row.share_of(group[1], group[0], 0.95)
    for group in groups[::2]:
        row.faster_than(best(group, "peer"), group[0], None)
    row.not_measured("verify: peers", "their files have no checksums that they check when they load")


def cold(scene):
    formats = ("safetensors", "torch")
    driver, worker = files(scene, scene.size(GIB), formats)
    cold_reads(scene, driver, worker, "")
    wanted = 128
    with readahead(scene.folder, wanted, scene.settings.set_readahead) as refused:
        if refused:
            scene.row.not_measured(f"cold with a readahead of {wanted} KiB", refused)
        else:
            cold_reads(scene, driver, worker, f", readahead {wanted} KiB")


def cold_reads(scene, driver, worker, suffix):
    def dropped(name):
        return {"file": scene.file(name), "before": lambda: driver("cold", file=scene.file(name))}

    ckpt = dropped("model.ckpt")
    read = case("ckpt, read mode" + suffix, "ckpt", driver, "read_into", mode="read", **ckpt)
    mapped = case("ckpt, through the mapping" + suffix, "ckpt", driver, "read_into", mode="mmap", **ckpt)
    limit = case("limit: direct reads" + suffix, "limit", driver, "limit_read", **ckpt)
    peers = [case(f"{label}{suffix}", "peer", worker, "load_all", format=format, threads=threads,
                  **dropped(f"model.{file}"))
             for label, format, file, threads in (("safetensors, mmap", "safetensors", "safetensors", 0),
                                                  ("safetensors, mmap, 1 thread", "safetensors", "safetensors", 1),
                                                  ("safetensors, pread", "safetensors_pread", "safetensors", 0),
                                                  ("torch.load", "torch", "torch", 0))]
    cases = [read, mapped, limit, *peers]
    scene.measure(cases)
    scene.row.share_of(limit, read, 0.95)
    scene.row.share_of(limit, mapped, 0.9)
    scene.row.faster_than(best(cases, "peer"), read, None)


def restore(scene):
    formats = ("safetensors", "torch")
    driver, worker = files(scene, scene.size(GIB), formats)
    file = scene.file("model.ckpt")
    plain = case("ckpt", "ckpt", driver, "restore", file=file)
    checked = case("ckpt, checksums checked first", "ckpt", driver, "restore", file=file, verify=1)
    one_pass = case("ckpt, checksums checked in the same pass", "ckpt", driver, "restore", file=file, verify=1,
                    check_first=0)
    limit = case("limit: memcpy, all cores", "limit", driver, "limit_memcpy", threads=0)
    peers = []
    for format in formats:
        driver("warm", file=scene.file(f"model.{format}"))
        peers += [case(format + label, "peer", worker, "restore", file=scene.file(f"model.{format}"), format=format,
                       threads=threads) for threads, label in ((0, ""), (1, ", 1 thread"))]
    if scene.settings.tensorflow:
        tensorflow = scene.worker()
        tensorflow("model", layout=scene.file("model.layout"))
        tensorflow("save", file=scene.file("model.tf"), format="tensorflow")
        peers.append(case("tensorflow", "peer", tensorflow, "restore", file=scene.file("model.tf"),
                          format="tensorflow"))
    else:
        scene.row.not_measured("tensorflow", "it is not installed")
    scene.measure([plain, checked, one_pass, limit, *peers])
    scene.row.share_of(limit, plain, 0.9)
    scene.row.share_of(limit, one_pass, 0.7)
    scene.row.share_of(limit, checked, None)
    scene.row.faster_than(best(peers, "peer"), checked, None)
