#!/usr/bin/python3
"""TensorFlow's CheckpointManager as the judge of ours.

usage: manager_differential.py run DRIVER FOLDER [SCRIPTS] [SEED]
       manager_differential.py replay DRIVER RECORDED

run makes a virtual environment in FOLDER, installs tensorflow-cpu in it from the default index, and gives SCRIPTS (1000)
random scripts to both managers: saves with and without numbers of their own, clocks that go on, stand still and go
back, restarts with other options, intervals of steps, restores, lost state files. After every command the files that
are left, the list, the latest, the counters and what the call returned must be equal, and after a save the times in the
state file too. Exit status 77, and SKIPPED on standard output, where TensorFlow does not install.

replay compares with what TensorFlow said when RECORDED was made (FOLDER/recorded.txt of a run).

The differences that are on purpose, each checked to be just what it should be:

- A save where nothing was restored and there is a file that this manager did not write is refused. TensorFlow replaces
  it, or lets it go as older.
- When the state file is lost, the list is rebuilt from the newest files. TensorFlow starts with an empty one. The script
  ends there, because the two know different things from then on.
"""

import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from unittest import mock

SKIP = 77
START = 1_700_000_000.0


class Driver:
    """Our manager, in a process."""

    def __init__(self, program):
        self.process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __call__(self, *words):
        self.process.stdin.write(" ".join(map(str, words)) + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline().rstrip("\n")
        if not answer:
            sys.exit(f"the driver has ended after: {' '.join(map(str, words))}")
        return answer

    def close(self):
        self.process.stdin.close()
        if self.process.wait() != 0:
            sys.exit("the driver failed at its end")


def text_of(value):
    return "-" if value is None else repr(value) if isinstance(value, float) else str(value)


def number_of(path):
    return int(path.rsplit("-", 1)[1])


class Judge:
    """TensorFlow's manager, with our words."""

    def __init__(self, tf):
        self.tf = tf
        self.time = START
        self.manager = None

    def program(self, directory, keep, hours, interval, last):
        tf = self.tf
        self.directory = Path(directory)
        self.step = tf.Variable(0, dtype=tf.int64)
        self.checkpoint = tf.train.Checkpoint(step=self.step)
        self.initialised = False
        self.restored = False
        self.written = set()
        self.manager = tf.train.CheckpointManager(
            self.checkpoint,
            directory,
            max_to_keep=keep,
            keep_checkpoint_every_n_hours=hours,
            step_counter=None if interval is None else self.step,
            checkpoint_interval=interval,
            last_checkpoint_step=last,
            init_fn=self.initialise,
        )
        return "started" + self.state()

    def initialise(self):
        self.initialised = True

    def restore(self):
        self.initialised = False
        path = self.manager.restore_or_initialize()
        self.restored = self.restored or path is not None
        result = f"restored {number_of(path)}" if path else "initialised" if self.initialised else "nothing"
        return result + self.state()

    def save(self, number, force):
        path = self.manager.save(checkpoint_number=number, check_interval=not force)
        if path is None:
            return "skipped" + self.state()
        self.written.add(number_of(path))
        return f"saved {number_of(path)}" + self.state()

    def would_lose_a_run(self):
        """Whether there are files of another run, which a save replaces or rotates away."""
        return not self.restored and any(n not in self.written for n in self.files())

    def files(self):
        return sorted(number_of(str(path.with_suffix(""))) for path in self.directory.glob("*.index"))

    def state(self):
        latest = self.manager.latest_checkpoint
        return "".join([
            " | files", *(f" {n}" for n in self.files()),
            " | list", *(f" {number_of(p)}" for p in self.manager.checkpoints),
            f" | latest {number_of(latest) if latest else '-'}",
            f" | counter {int(self.checkpoint.save_counter)}",
            f" | step {int(self.step)}",
        ])

    def times(self):
        state = self.tf.train.get_checkpoint_state(str(self.directory))
        numbers = [number_of(path) for path in state.all_model_checkpoint_paths]
        return state.last_preserved_timestamp, list(zip(numbers, state.all_model_checkpoint_timestamps))


def our_times(directory):
    text = (directory / "ckpt.state").read_text(encoding="ascii")
    entries = re.findall(r"^active (\S+) ckpt-(\d+)\.ckpt$", text, re.MULTILINE)
    return float(re.search(r"^last_preserved (\S+)$", text, re.MULTILINE)[1]), [(int(n), float(t)) for t, n in entries]


def random_options(dice):
    interval = dice.choice([None, None, 1, 2, 5])
    return [
        dice.choice([None, 1, 1, 2, 2, 3, 5]),
        dice.choice([None, 0.5, 1.0, 1.5, 0.1]),
        interval,
        dice.choice([None, 0, 3]) if interval is not None else None,
    ]


class Script:
    def __init__(self, driver, judge, seed, folder, record):
        self.driver, self.judge, self.record = driver, judge, record
        self.dice = random.Random(seed)
        self.ours, self.theirs = folder / "ours", folder / "theirs"
        self.told, self.refused = [], 0

    def tell(self, expected, *words):
        """Sends a command to the driver and compares the answer with what TensorFlow did."""
        command = " ".join(text_of(word) for word in words)
        answer = self.driver(command)
        command = command.replace(str(self.ours), "@")
        self.told.append(f"> {command}\n< {expected}\n")
        if answer != expected:
            print("".join(self.told) + f"ours: {answer}")
            sys.exit("TensorFlow and ckpt differ at the last command")

    def quiet(self, *words):
        self.tell("ok" + self.judge.state(), *words)

    def restart(self, options):
        self.options = options
        self.tell(self.judge.program(str(self.theirs), *options), "program", self.ours, *options)

    def move_clock(self):
        dice = self.dice
        way = dice.random()
        if way < 0.12:
            self.judge.time -= dice.uniform(0, 3 * 3600)
        elif way < 0.5:
            self.judge.time += 1800 * dice.randrange(4)
        else:
            self.judge.time += dice.uniform(0, 3600)
        self.quiet("clock", self.judge.time)

    def save(self):
        dice = self.dice
        number = dice.randrange(13) if dice.random() < 0.2 else None
        force = dice.random() < 0.2
        if self.judge.would_lose_a_run():
            # Ours refuses, unless the interval skips the save before. TensorFlow is not asked to lose the files.
            before = self.judge.state()
            command = f"save {text_of(number)} {int(force)}"
            answer = self.driver(command)
            if answer == "refused" + before:
                self.told.append(f"> {command}\n< {answer}\n")
                self.refused += 1
                return
            if answer != "skipped" + before or self.judge.save(number, force) != answer:
                print("".join(self.told) + f"> {command}\nours: {answer}")
                sys.exit("a save that would lose an earlier run was not refused")
            self.told.append(f"> {command}\n< {answer}\n")
            return
        expected = self.judge.save(number, force)
        self.tell(expected, "save", number, int(force))
        if expected.startswith("saved") and our_times(self.ours) != self.judge.times():
            print("".join(self.told), our_times(self.ours), self.judge.times(), sep="\n")
            sys.exit("the times in the state files differ")

    def lose_the_state(self):
        files = self.judge.files()
        keep, *others = random_options(self.dice)
        kept = files if keep is None else files[-keep:]
        self.tell("ok", "lose", self.ours)
        latest = files[-1] if files else "-"
        expected = "".join(["started | files", *(f" {n}" for n in files), " | list", *(f" {n}" for n in kept),
                            f" | latest {latest} | counter 0 | step 0"])
        self.tell(expected, "program", self.ours, keep, *others)

    def run(self):
        dice = self.dice
        self.judge.time = START
        self.driver("clock", START)  # before there is a program
        self.told.append(f"> clock {START}\n< ok\n")
        self.restart(random_options(dice))
        for _ in range(dice.randrange(5, 30)):
            way = dice.random()
            if way < 0.25:
                self.move_clock()
            elif way < 0.40:
                self.judge.step.assign(max(0, int(self.judge.step) + dice.choice([-2, 1, 1, 2, 3, 7])))
                self.quiet("step", int(self.judge.step))
            elif way < 0.52:
                self.restart(self.options if dice.random() < 0.5 else random_options(dice))
                if dice.random() < 0.85:
                    self.tell(self.judge.restore(), "restore")
            elif way < 0.56:
                self.tell(self.judge.restore(), "restore")
            elif way < 0.57:
                self.lose_the_state()
                break
            else:
                self.save()
        if self.record:
            self.record.write("script\n" + "".join(self.told))


def judge(driver_program, folder, scripts, seed):
    os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="")
    import logging

    import tensorflow as tf

    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    commands = refused = 0
    with open(folder / "recorded.txt", "w", encoding="ascii") as record:
        for i in range(scripts):
            # A driver of its own for each: the clock of the last program is not that of the next.
            driver, judge_ = Driver(driver_program), Judge(tf)
            with tempfile.TemporaryDirectory(prefix="ckpt-differential-") as where:
                script = Script(driver, judge_, f"{seed}/{i}", Path(where), record if i < 60 else None)
                with mock.patch("time.time", lambda: judge_.time):
                    try:
                        script.run()
                    except SystemExit:
                        print(f"script {i} of seed {seed}")
                        raise
                driver.close()
            commands += len(script.told)
            refused += script.refused
    print(f"TensorFlow {tf.__version__}: {scripts} scripts of seed {seed}, {commands} commands, equal; "
          f"{refused} saves refused on purpose")


def run(driver, folder, scripts="1000", seed="1"):
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    python = folder / "venv" / "bin" / "python"
    try:
        if not python.exists():
            shutil.rmtree(folder / "venv", ignore_errors=True)
            subprocess.run([sys.executable, "-m", "venv", folder / "venv"], check=True)
        probe = [python, "-c", "import tensorflow"]
        if subprocess.run(probe, capture_output=True).returncode != 0:
            subprocess.run([python, "-m", "pip", "install", "--quiet", "tensorflow-cpu"], check=True)
            subprocess.run(probe, check=True)
    except (subprocess.CalledProcessError, OSError) as error:
        print(f"SKIPPED: TensorFlow does not install here ({error})")
        sys.exit(SKIP)
    sys.exit(subprocess.run([python, __file__, "judge", driver, folder, scripts, seed]).returncode)


def replay(driver_program, recorded):
    scripts = Path(recorded).read_text(encoding="ascii").split("script\n")[1:]
    commands = 0
    for script in scripts:
        driver = Driver(driver_program)
        lines = script.splitlines()
        with tempfile.TemporaryDirectory(prefix="ckpt-differential-") as where:
            for command, expected in zip(lines[::2], lines[1::2]):
                answer = driver(command[2:].replace("@", where + "/ours"))
                commands += 1
                if answer != expected[2:]:
                    sys.exit(f"{script}\nat: {command}\nTensorFlow: {expected[2:]}\nours: {answer}")
            driver.close()
    if not commands:
        sys.exit("nothing was recorded")
    print(f"{len(scripts)} recorded scripts, {commands} commands: as TensorFlow did")


def main():
    if sys.argv[1:2] == ["run"] and len(sys.argv) >= 4:
        run(*sys.argv[2:])
    elif sys.argv[1:2] == ["judge"] and len(sys.argv) == 6:
        judge(sys.argv[2], Path(sys.argv[3]), int(sys.argv[4]), sys.argv[5])
    elif sys.argv[1:2] == ["replay"] and len(sys.argv) == 4:
        replay(*sys.argv[2:])
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main()
