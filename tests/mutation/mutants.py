"""The mutants: (name, file, text, what takes its place, tests that may notice)."""

# Name -> program of the build folder and its arguments.
TESTS = {
    "power": ["tests/faults/fault_power_loss_test"],
    "calls": ["tests/faults/fault_nth_call_test"],
    "door": ["tests/faults/fault_door_test"],
    "io": ["tests/io/io_test", "~[kill]~[flip]"],
    "flips": ["tests/io/io_test", "[flip]"],
    "hostile": ["tests/hostile/hostile_test"],
    "os": ["tests/os/os_test"],
}

SAVE = "src/os/replacement_file.cpp"
DIRECTORY = "src/os/directory.cpp"
READ = ["io", "flips", "hostile"]

MUTANTS = [
    # What makes things durable, one at a time.
    ("no fsync of the file", SAVE, 'if (::fsync(file_.get()) != 0) fail(errno, "cannot sync");', "", ["power"]),
    ("no fsync of the directory", SAVE, "if (options_.durable && ::fsync(directory_.fd()) != 0 &&", "if (false &&", ["power"]),
    ("a directory does not sync", DIRECTORY, "if (::fsync(fd()) != 0 && errno != EINVAL)", "if (false)", ["power"]),
    ("no fsync above a new directory", DIRECTORY, "  open(parent_of(path)).sync();\n", "", ["power"]),
    ("no fsync above a found directory", "src/manager/manager.cpp", "if (parent) parent->sync();", "", ["power"]),
    ("no fsync after an unpin", "src/manager/pins.cpp", "directory_.sync();", "{}", ["power"]),
    ("no fsync after removals", "src/manager/deletions.cpp", "    directory_.sync();\n", "", ["power"]),
    ("the state is not durable", "src/manager/load.cpp", "std::as_bytes(std::span{text}), durable);", "std::as_bytes(std::span{text}), false);", ["power"]),
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
    ("what cannot be looked for is gone", DIRECTORY, "if (errno == ENOENT) return std::nullopt;", "return std::nullopt;", ["calls"]),
    ("the descriptor of a list leaks", DIRECTORY, "{::fdopendir(again.get()), ::closedir}", "{::fdopendir(again.get()), [](DIR*) { return 0; }}", ["calls"]),
    # Bounds and checks of src/format and src/io.
    ("a short file is let pass", "src/io/source.cpp", "if (size_ < format::kHeaderBytes + format::kFooterBytes)", "if (false)", READ),
    ("a sum of a chunk is let pass", "src/io/tensor_reader.cpp", "if (actual == expected) return;", "if (actual == expected || true) return;", READ),
    ("chunks of any size", "src/io/tensor_reader.cpp", "if (size * kMostExpansion < content || size > content + codec::kMostChunkOverhead)", "if (false)", READ),
    ("chunks that do not fill the blob", "src/io/tensor_reader.cpp", "if (used != record_.blob_size)", "if (false)", READ),
    ("padding that is not zero", "src/io/verifier.cpp", "if (wrong == bytes.end()) return;", "return;", READ),
    ("a tensor of no number", "src/io/reader.cpp", "if (index >= index_->tensor_count())", "if (false)", READ),
    ("a destination of another size", "src/io/reader.cpp", "if (request.destination.size() != record.data_size)", "if (false)", READ),
    ("more bytes than the shape says", "src/io/tensor_writer.cpp", "if (data.size() > record_.data_size - received_)", "if (false)", READ),
    ("fewer bytes than the shape says", "src/io/tensor_writer.cpp", "if (received_ != record_.data_size)", "if (false)", READ),
    ("strings that leave the tensor", "src/io/tensor.cpp", "if (end < begin || end > text.size()) bad_offsets();", "", READ),
    ("strings that do not begin at 0", "src/io/tensor.cpp", "if (begin != 0) bad_offsets();", "", READ),
    ("strings that do not fill the tensor", "src/io/tensor.cpp", "if (begin != text.size()) bad_offsets();", "", READ),
    ("a damaged header", "src/format/header.cpp", 'if (sum != actual) corrupt("damaged header"', 'if (false) corrupt("damaged header"', READ),
    ("a damaged footer", "src/format/header.cpp", 'if (sum != actual) corrupt("damaged footer"', 'if (false) corrupt("damaged footer"', READ),
    ("reserved bytes of the header", "src/format/header.cpp", 'if (load<std::uint64_t>(bytes, 48) != 0)', 'if (false)', READ),
    ("another size than was written", "src/format/header.cpp", 'if (footer.file_size != file_size) {', 'if (false) {', READ),
    ("header and footer of different files", "src/format/header.cpp", 'if (footer.uuid != header.uuid) {', 'if (false) {', READ),
    ("an index that is too large", "src/format/header.cpp", 'if (footer.index_size > kMaxIndexBytes) {', 'if (false) {', READ),
    ("an index in the wrong place", "src/format/header.cpp", 'if (!aligned || footer.index_size < 8 || footer.index_offset < kHeaderBytes || end.get() != file_size) {', 'if (false) {', READ),
    ("a damaged page", "src/format/page_checker.cpp", "  if (actual == sum) return;", "  if (actual == sum || true) return;", READ),
    ("a text outside of its pool", "src/format/index_view.cpp", 'if (!base::in_range(offset, size, pool.size()))', 'if (false)', READ),
    ("a path that is too long", "src/format/index_view.cpp", 'if (raw.path_size() > kMaxPathBytes)', 'if (false)', READ),
    ("too many dimensions", "src/format/index_view.cpp", "if (rank > kMaxRank)", "if (false)", READ),
    ("dimensions outside of their pool", "src/format/index_view.cpp", "if (!base::in_range(raw.dims_offset(), rank, dims_.size()))", "if (false)", READ),
    ("a negative dimension", "src/base/shape.cpp", "    if (dim < 0) return \"a negative dimension\";\n", "", READ),
    ("more elements than a number holds", "src/base/shape.cpp", "if (!product.fits(std::numeric_limits<std::int64_t>::max())) {", "if (false) {", READ),
    ("reserved bytes of a record", "src/format/index_view.cpp", 'if (reserved != 0)', 'if (false)', READ),
    ("no such block type", "src/format/index_view.cpp", 'if (record.block != kNone && record.block >= blocks_.size())', 'if (false)', READ),
    ("a size that does not fit the shape", "src/format/index_view.cpp", 'if (size.bytes && *size.bytes != record.data_size) {', 'if (false) {', READ),
    ("an unknown codec", "src/format/index_view.cpp", 'if (record.codec != Codec::stored && record.codec != Codec::zstd)', 'if (false)', READ),
    ("a stored blob of another size", "src/format/index_view.cpp", 'if (record.codec == Codec::stored && record.blob_size != record.data_size) {', 'if (false) {', READ),
    ("a blob outside of the data", "src/format/index_view.cpp", 'if (record.blob_offset < kHeaderBytes || !base::in_range(record.blob_offset, record.blob_size, index_offset_)) {', 'if (false) {', READ),
    ("a blob that is not aligned", "src/format/index_view.cpp", 'if (record.blob_offset % alignment_of(geometry_, record.codec, record.blob_size) != 0) {', 'if (false) {', READ),
    ("frames that do not fit the chunks", "src/format/index_view.cpp", 'if (!frames_fit)', 'if (false)', READ),
    ("an alias of no tensor", "src/format/index_view.cpp", 'if (record.alias_of >= tensors_.size())', 'if (false)', READ),
    ("an alias that differs", "src/format/index_view.cpp", 'if (!same)', 'if (false && !same)', READ),
    ("a table that names no tensor", "src/format/index_view.cpp", 'if (slot.tensor() >= tensors_.size())', 'if (false)', READ),
]
