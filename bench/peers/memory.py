"""Rows 11 and 12: memory."""

from measure import Case
from scene import GIB, MIB, many, transformer


def peak(scene):
    """Each round is a process of its own."""
    row, file = scene.row, scene.file("save.out")
    size = scene.size(GIB)
    layout = scene.layout("model", transformer(size))

    def of_save(start, **fields):
        def run():
            process = start()
            process("model", layout=layout)
            scene.remove("save.out")()
            before = process.status("VmRSS")
            process.reset_peak()
            process("save", file=file, **fields)
            result = process.status("VmHWM") - before
            process.close()
            return {"bytes": max(0, result)}
        return run

    saves = [Case("save beyond the state: ckpt", "ckpt", of_save(scene.driver), value="bytes", unit="B")]
    saves += [Case(f"save beyond the state: {name}", "peer", of_save(scene.worker, format=name), value="bytes",
                   unit="B") for name in ("safetensors", "torch")]
    scene.measure(saves)
    row.at_most("save beyond the state, MiB", saves[0].median() / MIB, 64)
    opened(scene, 1_000_000 if not scene.settings.quick else 10_000)


def opened(scene, count):
    """Libraries that read the whole header, and take long for it, get fewer tensors."""
    lines = many(count)
    most = {"ckpt": count, "safetensors": min(count, 100_000), "torch": min(count, 10_000)}
    cases = []
    for name, tensors in most.items():
        ckpt = name == "ckpt"
        fields = {"file": scene.file(f"many.{name}"), **({} if ckpt else {"format": name})}
        maker = scene.driver() if ckpt else scene.worker()
        maker("model", layout=scene.layout("many", lines[:tensors]))
        maker("save", **fields)
        maker.close()
        path = lines[tensors // 2].split("\t")[0]
        start = (lambda: ready(scene.driver())) if ckpt else (lambda: loaded(scene.worker()))
        cases.append(Case(f"open of {tensors:,} tensors: {name}", "ckpt" if ckpt else "peer",
                          of_open(start, path=path, **fields), value="bytes", unit="B"))
        if tensors < count:
            scene.row.not_measured(f"open of {count:,} tensors: {name}", f"see row 1; {tensors:,} instead")
    scene.measure(cases)
    scene.row.at_most("open, MiB of private memory", cases[0].median() / MIB, 1)


def of_open(start, **fields):
    """Each round is a process of its own. Clean pages are the file's, in the page cache."""
    def run():
        process = start()
        before = process.status("Private_Dirty")
        process("keep", **fields)
        result = process.status("Private_Dirty") - before
        process.close()
        return {"bytes": max(0, result)}
    return run


def ready(process):
    """Started so far that its memory does not grow by itself."""
    process("direct_io", file="/dev/shm")
    return process


def loaded(process):
    process("model", layout="/dev/null")
    return process


def shared(scene):
    size = scene.size(GIB)
    layout = scene.layout("model", transformer(size))
    makers = {"ckpt": scene.driver(), "safetensors": scene.worker()}
    for name, maker in makers.items():
        maker("model", layout=layout)
        maker("save", file=scene.file(f"model.{name}"), **({} if name == "ckpt" else {"format": name}))
        maker.close()

    def together(name, start, **fields):
        file = scene.file(f"model.{name}")

        def run():
            four = [start() for _ in range(4)]
            before = sum(process.status("Pss") for process in four)
            sums = {process("keep", file=file, **fields)["sum"] for process in four}
            pss = sum(process.status("Pss") for process in four) - before
            for process in four:
                process.close()
            assert len(sums) == 1, "they have read different bytes"
            return {"bytes": pss}
        return run

    cases = [Case("ckpt", "ckpt", together("ckpt", lambda: ready(scene.driver())), value="bytes", unit="B"),
             Case("safetensors", "peer", together("safetensors", lambda: loaded(scene.worker()),
                                                  format="safetensors"), value="bytes", unit="B")]
    scene.measure(cases)
    for one in cases:
        name = scene.file(f"model.{one.name}")
        scene.row.at_most(f"{one.name}: sum of PSS to the file", one.median() / name.stat().st_size,
                          1.02 if one.kind == "ckpt" else None)
