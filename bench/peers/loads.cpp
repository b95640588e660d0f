// Opening, binding, reading and restoring.
#include "../limits.hpp"
#include "../page_cache.hpp"
#include "driver.hpp"

#include <sstream>
#include <stdexcept>

namespace ckpt::bench {
namespace {

std::vector<std::string> split(const std::string& text) {
  std::vector<std::string> parts;
  std::istringstream in{text};
  for (std::string part; std::getline(in, part, ',');) parts.push_back(part);
  return parts;
}

// Fields: file, paths (joined by ','), times. Opens, finds one of the paths, reads its first byte, closes; answers with
// the mean.
void open_one(Session& /*session*/, const Request& request, Answer& answer) {
  const std::vector<std::string> paths = split(request.text("paths"));
  const std::int64_t times = request.number("times");
  require_warm(request.file());
  const double all = seconds([&] {
    for (std::int64_t i = 0; i < times; ++i) {
      const Reader reader = Reader::open(request.file());
      const TensorView tensor = reader.tensor(paths[static_cast<std::size_t>(i) % paths.size()]);
      benchmark::DoNotOptimize(tensor.bytes().front());
    }
  });
  answer.set_seconds("seconds", all / static_cast<double>(times));
}

// Opens and binds every tensor by its number; no data is touched.
void bind_all(Session& /*session*/, const Request& request, Answer& answer) {
  require_warm(request.file());
  std::size_t bound = 0;
  answer.set_seconds("seconds", seconds([&] {
                       const Reader reader = Reader::open(request.file());
                       for (; bound < reader.size(); ++bound) {
                         const TensorView tensor = reader.tensor(bound);
                         benchmark::DoNotOptimize(tensor.bytes().data());
                       }
                     }));
  answer.set("tensors", bound);
}

// Opens and adds up every byte where it lies, on so many threads.
void sum_file(Session& /*session*/, const Request& request, Answer& answer) {
  std::uint64_t total = 0;
  answer.set_seconds("seconds", seconds([&] {
                       const Reader reader = Reader::open(request.file());
                       std::vector<TensorView> tensors;
                       std::vector<std::span<const std::byte>> parts;
                       for (std::size_t i = 0; i < reader.size(); ++i) {
                         tensors.push_back(reader.tensor(i));
                         parts.push_back(tensors.back().bytes());
                       }
                       total = sum_all(parts, request.threads());
                     }));
  answer.set("sum", total);
}

void verify(Session& /*session*/, const Request& request, Answer& answer) {
  VerifyReport report;
  answer.set_seconds("seconds",
                     seconds([&] { report = Reader::open(request.file()).verify({.threads = request.threads()}); }));
  if (!report.ok()) throw Error{report.problems.front()};
  answer.set("bytes", report.bytes);
}

// Answers with the sum of what the model's tensors hold in `memory`, and says so when it is not the model's.
void check_memory(const Model& model, std::span<const std::byte> memory, Answer& answer) {
  std::uint64_t total = 0;
  for (const Tensor& tensor : model.tensors) {
    total += sum(memory.first(tensor.data.size()));
    memory = memory.subspan(tensor.data.size());
  }
  if (total != model.sum) throw std::runtime_error{"the memory holds other bytes than were saved"};
  answer.set("sum", total);
  answer.set("bytes", model.bytes);
}

ReadMode mode_of(const std::string& name) {
  if (name == "read") return ReadMode::read;
  if (name == "mmap") return ReadMode::mmap;
  throw std::invalid_argument{"no such mode: " + name};
}

// Fields: file, mode (read or mmap), verify (0). Copies all tensors of the model into memory that was touched.
void read_into(Session& session, const Request& request, Answer& answer) {
  const std::span<std::byte> memory = session.destination();
  std::fill(memory.begin(), memory.end(), std::byte{0});
  const ReaderOptions options{.mode = mode_of(request.text("mode")),
                              .verify = request.number_or("verify", 0) != 0 ? Verify::lazy : Verify::none};
  answer.set_seconds("seconds", seconds([&] {
                       const Reader reader = Reader::open(request.file(), options);
                       std::vector<ReadRequest> requests;
                       std::size_t filled = 0;
                       for (const Tensor& tensor : session.model.tensors) {
                         const std::size_t size = tensor.data.size();
                         requests.push_back({reader.find(tensor.path).value(), memory.subspan(filled, size)});
                         filled += size;
                       }
                       reader.read_into(requests);
                     }));
  check_memory(session.model, memory, answer);
}

// Fields: file, verify (0), check_first (1). Restores the model's variables, which have their memory.
void restore(Session& session, const Request& request, Answer& answer) {
  const std::span<std::byte> memory = session.destination();
  std::fill(memory.begin(), memory.end(), std::byte{0});
  Variables variables{session.model, memory};
  Checkpoint checkpoint{variables};
  const RestoreOptions options{.verify = request.number_or("verify", 0) != 0 ? Verify::lazy : Verify::none,
                               .check_first = request.number_or("check_first", 1) != 0};
  require_warm(request.file());
  answer.set_seconds("seconds",
                     seconds([&] { checkpoint.read(request.file(), options).assert_existing_objects_matched(); }));
  check_memory(session.model, memory, answer);
}

// Fields: file, path (else all tensors, with every byte). Binds, and keeps the file open until the program ends.
void keep(Session& session, const Request& request, Answer& answer) {
  session.kept.push_back(Reader::open(request.file()));
  const Reader& reader = session.kept.back();
  const std::string path = request.text_or("path", "");
  std::uint64_t total = 0;
  const auto add = [&total](const TensorView& tensor) { total += sum(tensor.bytes()); };
  for (std::size_t i = 0; path.empty() && i < reader.size(); ++i) add(reader.tensor(i));
  if (!path.empty()) add(reader.tensor(path));
  answer.set("sum", total);
}

}  // namespace

Operations load_operations() {
  return {{"open_one", open_one}, {"bind_all", bind_all},   {"sum", sum_file},   {"verify", verify},
          {"keep", keep},         {"read_into", read_into}, {"restore", restore}};
}

}  // namespace ckpt::bench
