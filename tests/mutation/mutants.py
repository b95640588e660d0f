"""The mutants: (name, file, text, what takes its place, tests that may notice)."""

# Name -> program of the build folder and its arguments.
TESTS = {
    "power": ["tests/faults/fault_power_loss_test"],
    "calls": ["tests/faults/fault_nth_call_test"],
    "door": ["tests/faults/fault_door_test"],
    "io": ["tests/io/io_test", "~[kill]~[flip]"],
    "flips": ["tests/io/io_test", "[flip]"],
    "os": ["tests/os/os_test"],
}

SAVE = "src/os/replacement_file.cpp"
DIRECTORY = "src/os/directory.cpp"
READ = ["io", "flips"]

MUTANTS = [
    # What makes things durable, one at a time.
    ("no fsync of the file", SAVE, 'if (::fsync(file_.get()) != 0) fail(errno, "cannot sync");', "", ["power"]),
    ("no fsync of the directory", SAVE, "if (options_.durable && ::fsync(directory_.fd()) != 0 &&", "if (false &&", ["power"]),
    ("a directory does not sync", DIRECTORY, "if (::fsync(fd()) != 0 && errno != EINVAL)", "if (false)", ["power"]),
    ("no fsync above a new directory", DIRECTORY, "  open(parent_of(path)).sync();\n", "", ["power"]),
    ("no fsync above a found directory", "src/manager/manager.cpp", "if (parent) parent->sync();", "", ["power"]),
    ("no fsync after an unpin", "src/manager/pins.cpp", "directory_.sync();", "{}", ["power"]),
    ("no fsync after removals", "src/manager/deletions.cpp", "    directory_.sync();\n", "", ["power"]),
    ("the state is not durable", "src/manager/save.cpp", "                            durable);\n", "                            false);\n", ["power"]),
    ("a pin is not durable", "src/manager/pins.cpp", "std::as_bytes(std::span{kText}), true);", "std::as_bytes(std::span{kText}), false);", ["power"]),
    # What was lost must not be taken for written.
    ("fsync is tried again", SAVE, "if (::fsync(file_.get()) != 0) fail(", "if (::fsync(file_.get()) != 0 && ::fsync(file_.get()) != 0) fail(", ["calls"]),
    ("fsync of the directory is tried again", SAVE, "if (options_.durable && ::fsync(directory_.fd()) != 0 &&", "if (options_.durable && ::fsync(directory_.fd()) != 0 && ::fsync(directory_.fd()) != 0 &&", ["calls"]),
    ("a failed fsync is let pass", SAVE, 'if (::fsync(file_.get()) != 0) fail(errno, "cannot sync");', "::fsync(file_.get());", ["calls"]),
    ("the temporary stays after an error", SAVE, "  block_ = nullptr;\n  ::unlinkat(directory_.fd(), temporary_.c_str(), 0);\n", "  block_ = nullptr;\n", ["calls"]),
    ("a full disk is let pass", SAVE, "(errno == ENOSPC || errno == EDQUOT) && asked_for", "false && asked_for", ["calls"]),
    ("a short write is taken for whole", "src/os/block_writer.cpp", "    data = data.subspan(static_cast<std::size_t>(moved));\n", "    data = {};\n", ["calls"]),
    ("an interrupted write is an error", "src/os/block_writer.cpp", "      if (errno == EINTR) continue;\n", "", ["calls"]),
    ("an interrupted read is an error", "src/os/file.cpp", '      if (errno == EINTR) continue;\n      throw_system_error(errno, "cannot read"', '      throw_system_error(errno, "cannot read"', ["calls"]),
    ("what cannot be looked for is gone", DIRECTORY, "if (errno != ENOENT) throw_system_error(errno, \"cannot look for\"", "if (false) throw_system_error(errno, \"cannot look for\"", ["calls"]),
    ("the descriptor of a list leaks", DIRECTORY, "{::fdopendir(again.get()), ::closedir}", "{::fdopendir(again.get()), [](DIR*) { return 0; }}", ["calls"]),
    # Bounds and checks of src/format and src/io.
    ("a short file is let pass", "src/io/source.cpp", "if (size_ < format::kHeaderBytes + format::kFooterBytes)", "if (false)", READ),
    ("a sum of a chunk is let pass", "src/io/tensor_reader.cpp", "if (actual == expected) return;", "if (actual == expected || true) return;", READ),
    ("frames of any size", "src/io/tensor_reader.cpp", "if (size * kMostExpansion < content || size > content + chunk_size)", "if (false)", READ),
    ("frames that do not fill the blob", "src/io/tensor_reader.cpp", "if (total.get() != record_.blob_size)", "if (false)", READ),
    ("padding that is not zero", "src/io/verifier.cpp", "if (wrong == bytes.end()) return;", "return;", READ),
    ("a tensor of no number", "src/io/reader.cpp", "if (index >= index_->tensor_count())", "if (false)", READ),
    ("a destination of another size", "src/io/reader.cpp", "if (destination.size() != record.data_size)", "if (false)", READ),
    ("more bytes than the shape says", "src/io/tensor_writer.cpp", "if (data.size() > record_.data_size - received_)", "if (false)", READ),
    ("fewer bytes than the shape says", "src/io/tensor_writer.cpp", "if (received_ != record_.data_size)", "if (false)", READ),
    ("strings that leave the tensor", "src/io/tensor.cpp", "if (end < begin || end > text.size()) bad_offsets();", "", READ),
    ("strings that do not begin at 0", "src/io/tensor.cpp", "if (begin != 0) bad_offsets();", "", READ),
    ("strings that do not fill the tensor", "src/io/tensor.cpp", "if (begin != text.size()) bad_offsets();", "", READ),
]
