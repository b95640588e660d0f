"""Rows 11 and 12: memory."""

from measure import Case
from scene import GIB, MIB, case, many, transformer


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
    saves += [Case(f"save beyond the state: {name}", "peer", of_save(scene.worker, format=name), value="bytes", unit="B")
              for name in ("safetensors", "torch")]
    scene.measure(saves)
    row.at_most("save beyond the state, MiB", saves[0].median() / MIB, 64)
    opened(scene, 1_000_000 if not scene.settings.quick else 10_000)


def opened(scene, count):
    lines = many(count)
    layout, path = scene.layout("many", lines), lines[count // 2].split("\t")[0]
    maker, other = scene.driver(), scene.worker()
    maker("model", layout=layout)
    maker("save", file=scene.file("many.ckpt"))
    few = scene.layout("fewer", lines[:100_000])
    other("model", layout=few)
    other("save", file=scene.file("many.safetensors"), format="safetensors")
    other("save", file=scene.file("many.torch"), format="torch")
    peers = min(count, 100_000)
    if count > peers:
        scene.row.not_measured(f"open: peers, {count:,} tensors", f"they are measured with {peers:,}: see row 1")
        path_of_peers = lines[peers // 2].split("\t")[0]
    else:
        path_of_peers = path

    def of_open(start, path, **fields):
        def run():
            process = start()
            before = process.status("Private_Dirty")
            process("keep", path=path, **fields)
            result = process.status("Private_Dirty") - before
            process.close()
            return {"bytes": max(0, result)}
        return run

    opens = [Case(f"open of {count:,} tensors: ckpt", "ckpt",
                  of_open(lambda: ready(scene.driver()), path, file=scene.file("many.ckpt")), value="bytes", unit="B")]
    opens += [Case(f"open of {peers:,} tensors: {name}", "peer",
                   of_open(lambda name=name: loaded(scene.worker(), name), path_of_peers,
                           file=scene.file(f"many.{name}"), format=name), value="bytes", unit="B")
              for name in ("safetensors", "torch")]
    scene.measure(opens)
    scene.row.at_most("open, MiB of private memory", opens[0].median() / MIB, 1)


def ready(process):
    """Started so far that its memory does not grow by itself."""
    process("direct_io", file="/dev/shm")
    return process


def loaded(process, _):
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
             Case("safetensors", "peer", together("safetensors", lambda: loaded(scene.worker(), ""),
                                                  format="safetensors"), value="bytes", unit="B")]
    scene.measure(cases)
    for one in cases:
        name = scene.file(f"model.{one.name}")
        scene.row.at_most(f"{one.name}: sum of PSS to the file", one.median() / name.stat().st_size,
                          1.02 if one.kind == "ckpt" else None)
