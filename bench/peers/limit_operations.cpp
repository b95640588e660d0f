// The limits of the machine on the bytes of the model, and the state of the page cache.
#include "../limits.hpp"
#include "../page_cache.hpp"
#include "driver.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <stdexcept>

namespace ckpt::bench {
namespace {

// Fields: file, times. Answers with the mean.
void limit_open(Session& /*session*/, const Request& request, Answer& answer) {
  const std::int64_t times = request.number("times");
  require_warm(request.file());
  const double all = seconds([&] {
    for (std::int64_t i = 0; i < times; ++i) open_once(request.file());
  });
  answer.set_seconds("seconds", all / static_cast<double>(times));
}

// One pass over the index of a file where it lies: what has to be read of its records at least.
void limit_records(Session& /*session*/, const Request& request, Answer& answer) {
  const Reader reader = Reader::open(request.file(), {.copy_on_write = true});
  const FileInfo info = reader.file();
  require_warm(request.file());
  const std::span<const std::byte> file{reader.private_mapping().get(), info.file_size};
  answer.set_seconds("seconds",
                     seconds([&] { benchmark::DoNotOptimize(sum(file.subspan(info.index_offset, info.index_size))); }));
  answer.set("bytes", info.index_size);
}

// Fields: file, mode: direct, early (both until it is on the disk) or cached. The file stays.
void limit_write(Session& session, const Request& request, Answer& answer) {
  const std::string& mode = request.text("mode");
  const std::span<const std::byte> data = session.model.memory;
  if (data.size() != session.model.bytes) throw std::invalid_argument{"the model's memory is less than its bytes"};
  answer.set_seconds("seconds", seconds([&] {
                       NewFile file{request.file(), mode == "direct" ? O_DIRECT : 0};
                       if (mode == "direct") {
                         file.write_direct(data);
                       } else if (mode == "early") {
                         file.write_early(data);
                       } else if (mode == "cached") {
                         file.write_cached(data);
                       } else {
                         throw std::invalid_argument{"no such mode: " + mode};
                       }
                       file.keep();
                     }));
  answer.set("bytes", data.size());
}

// Reads the beginning of the file, as many bytes as the model has, past the page cache.
void limit_read(Session& session, const Request& request, Answer& answer) {
  const std::span<std::byte> memory = session.destination();
  answer.set_seconds("seconds", seconds([&] { read_direct(request.file(), memory); }));
  answer.set("sum", sum(memory));
}

void limit_memcpy(Session& session, const Request& request, Answer& answer) {
  const std::span<std::byte> memory = session.destination();
  answer.set_seconds("seconds", seconds([&] { copy_all(session.model.memory, memory, request.threads()); }));
  answer.set("sum", sum(memory));
}

void limit_sum(Session& session, const Request& request, Answer& answer) {
  std::uint64_t total = 0;
  answer.set_seconds("seconds", seconds([&] { total = sum_all({&session.model.memory, 1}, request.threads()); }));
  answer.set("sum", total);
}

void limit_xxh3(Session& session, const Request& request, Answer& answer) {
  answer.set_seconds("seconds", seconds([&] { hash_all(session.model.memory, request.threads()); }));
}

void cold(Session& /*session*/, const Request& request, Answer& /*answer*/) { require_cold(request.file()); }

void warm(Session& /*session*/, const Request& request, Answer& /*answer*/) { require_warm(request.file()); }

// Whether the folder `file` can be read and written past the page cache.
void direct_io(Session& /*session*/, const Request& request, Answer& answer) {
  answer.set("allowed", allows_direct_io(request.file()) ? 1U : 0U);
}

}  // namespace

Operations limit_operations() {
  return {{"limit_open", limit_open},
          {"limit_records", limit_records},
          {"limit_write", limit_write},
          {"limit_read", limit_read},
          {"limit_memcpy", limit_memcpy},
          {"limit_sum", limit_sum},
          {"limit_xxh3", limit_xxh3},
          {"cold", cold},
          {"warm", warm},
          {"direct_io", direct_io}};
}

}  // namespace ckpt::bench
