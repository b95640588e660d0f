"""Row 13: what time does when bytes, or tensors, become many. The goal says no bend: by a quarter is one."""

import shutil

from scene import GIB, MIB, case, many, some_paths, transformer

SIZES = [16 * MIB, 64 * MIB, 256 * MIB, GIB, 2 * GIB, 4 * GIB, 8 * GIB, 16 * GIB]
COUNTS = [10, 100, 1_000, 10_000, 100_000, 1_000_000]
MEMORY = 2 * GIB  # what ckpt's models have at most; larger ones use it again
PEER_BYTES = 2 * GIB  # a peer's model is in memory as a whole, and its file in the page cache
PEER_TENSORS = 100_000  # the header of a million is longer than safetensors allows


def growth(scene):
    in_bytes(scene, sizes(scene))
    in_tensors(scene, COUNTS if not scene.settings.quick else COUNTS[:4])


def sizes(scene):
    """Those that the disk has room for."""
    wanted = SIZES if not scene.settings.quick else [2 * MIB, 8 * MIB, 32 * MIB]
    free = shutil.disk_usage(scene.folder).free
    return only(scene, "durable save", wanted, lambda size: size + PEER_BYTES <= free, "so large a disk")


def only(scene, name, amounts, is_possible, wanted):
    """The amounts that are possible; what is left out is noted."""
    for size in amounts:
        if not is_possible(size):
            scene.row.not_measured(f"{name}, {size // MIB:,} MiB", f"it needs {wanted}")
    return [size for size in amounts if is_possible(size)]


def in_bytes(scene, amounts):
    driver, worker = scene.driver(), scene.worker()
    saves = [grown_save(scene, "ckpt", driver, size, memory_mib=MEMORY // MIB) for size in amounts]
    # Beside a file in the page cache there are the models, and what Python keeps of its own.
    cached = only(scene, "warm read", amounts,
                  lambda size: size + MEMORY + 3 * PEER_BYTES <= scene.settings.available, "more memory")
    reads = [grown_read(scene, "ckpt", driver, driver, size, memory_mib=MEMORY // MIB) for size in cached]
    few = [size for size in amounts if size <= PEER_BYTES]
    scene.measure(saves + [grown_save(scene, "safetensors", worker, size) for size in few])
    scene.remove("grown")()
    scene.measure(reads + [grown_read(scene, "safetensors", worker, driver, size) for size in few])
    scene.row.not_measured("safetensors of more", f"its models are in memory as a whole: {PEER_BYTES // GIB} GiB")
    middle = amounts.index(GIB) if GIB in amounts else 0
    for name, cases in (("durable save", saves), ("warm read", reads)):
        for first, last, goal in [(middle, len(cases) - 1, 1.25)] + ([(0, middle, None)] if middle else []):
            scene.row.at_most(f"{name}, time a byte: {amounts[last] // MIB:,} to {amounts[first] // MIB:,} MiB",
                              slope(cases, amounts, first, last), goal)
    scene.close()


def in_tensors(scene, counts):
    driver, worker, opens, binds = scene.driver(), scene.worker(), [], []
    for count in counts:
        lines = many(count)
        layout, few = scene.layout("many", lines), {"paths": some_paths(lines)}
        for name, kind, process, fields in (("ckpt", "ckpt", driver, {}),
                                            ("safetensors", "peer", worker, {"format": "safetensors"})):
            if kind == "peer" and count > PEER_TENSORS:
                scene.row.not_measured(f"{name} of {count:,} tensors", "its header may have 100 MB")
                continue
            process("model", layout=layout)
            fields["file"] = scene.file(f"many-{count}.{name}")
            process("save", **fields)
            label = f"{count:,} tensors: {name}"
            opens.append(scene.repeated(f"open and bind one of {label}", kind, process, "open_one", **fields, **few)
                         .on_curve("open and bind one, by tensors", name, count))
            binds.append(case(f"bind all of {label}", kind, process, "bind_all", **fields)
                         .on_curve("bind all, by tensors", name, count))
    scene.measure(opens + binds)
    opens, binds = ([one for one in cases if one.kind == "ckpt"] for cases in (opens, binds))
    last = len(counts) - 1
    scene.row.at_most(f"open and bind one: {counts[last]:,} to 1,000 tensors", opens[last].median() / opens[2].median(),
                      2)
    scene.row.at_most(f"bind all, time a tensor: {counts[last]:,} to 1,000", slope(binds, counts, 2, last), 1.25)


def loaded_with(scene, process, size, **fields):
    """What gives the process a model of that size."""
    layout = scene.layout(f"model-{size}", transformer(size))
    return lambda: process("model", layout=layout, **fields)


def grown_save(scene, name, process, size, **model):
    file, give = scene.file("grown.out"), loaded_with(scene, process, size, **model)

    def before():
        scene.remove("grown.out")()
        give()

    fields = {"file": file} if name == "ckpt" else {"file": file, "format": name}
    return case(f"durable save, {size // MIB:,} MiB: {name}", "ckpt" if name == "ckpt" else "peer", process, "save",
                before, **fields).on_curve("durable save, by bytes", name, size)


def grown_read(scene, name, process, driver, size, **model):
    file, give = scene.file("grown.in"), loaded_with(scene, process, size, **model)
    fields = {"file": file} if name == "ckpt" else {"file": file, "format": name}

    def before():
        scene.remove("grown.in")()
        give()
        process("save", durable=0, **fields)
        driver("warm", file=file)

    return case(f"warm read, {size // MIB:,} MiB: {name}", "ckpt" if name == "ckpt" else "peer", process,
                "sum" if name == "ckpt" else "sum_file", before, scene.remove("grown.in"), threads=0,
                **fields).on_curve("warm read, by bytes", name, size)


def slope(cases, amounts, first, last):
    """How the time for one of `amounts` grows between two of them; 1 is linear."""
    return (cases[last].median() / amounts[last]) / (cases[first].median() / amounts[first])
