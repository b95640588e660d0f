// Reading a checkpoint whose device or file goes away meanwhile.
#include "driver.hpp"

#include <ckpt/ckpt.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <numeric>

namespace ckpt::test {
namespace {

// Pages that are in the cache need no device.
void forget_pages(const std::filesystem::path& file) {
  const int fd = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd >= 0) ::posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
  ::close(fd);
}

void wait_for_line(const std::filesystem::path& file) {
  forget_pages(file);
  say("open");
  std::string line;
  std::getline(std::cin, line);
}

std::size_t sum(const TensorView& view) {
  return std::accumulate(view.bytes().begin(), view.bytes().end(), std::size_t{0},
                         [](std::size_t total, std::byte byte) { return total + std::to_integer<std::size_t>(byte); });
}

void read(const std::filesystem::path& file, const std::string& how) {
  if (how == "full" || how == "manager") {
    wait_for_line(file);
    if (how == "full") {
      static_cast<void>(Reader::open(file, {.mode = ReadMode::mmap, .verify = Verify::full}));
      return;
    }
    Variable<double> value{0};
    Checkpoint checkpoint{{"value", value}};
    CheckpointManager manager{checkpoint, file.parent_path()};
    manager.restore_or_initialize();
    return;
  }
  const Reader reader = Reader::open(file, {.mode = how == "read" ? ReadMode::read : ReadMode::mmap});
  if (how == "touch") {
    const TensorView view = reader.tensor("content");
    wait_for_line(file);
    return say(std::to_string(sum(view)));
  }
  wait_for_line(file);
  if (how == "graph") return say(std::to_string(reader.graph().nodes.size()));
  if (how != "verify") return say(std::to_string(sum(reader.tensor("content"))));
  const VerifyReport report = reader.verify();
  if (!report.ok()) throw Error{report.problems.front()};
}

}  // namespace

void read_mapped(const std::filesystem::path& file, const std::string& how) {
  try {
    read(file, how);
    say("read");
  } catch (const Error& error) {
    say("error " + text_of(error));
  }
}

}  // namespace ckpt::test
