// A mapped file that somebody writes to while it is restored.
#include "objects.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <span>

using namespace ckpt;
using namespace ckpt::test;

namespace {

constexpr std::size_t kBytes = std::size_t{3} << 20U;  // three chunks

// Memory that nothing has touched. The first write to it, which is the first copy of a restore, lets another byte into
// the file before it goes on.
struct Trap {
  std::byte* memory = nullptr;
  int file = -1;
  off_t place = 0;
};
Trap trap;
std::atomic<int> sprung{0};

extern "C" void spring(int, siginfo_t* info, void*) {
  const auto* const address = static_cast<const std::byte*>(info->si_addr);
  if (address < trap.memory || address >= trap.memory + kBytes) {
    std::signal(SIGSEGV, SIG_DFL);  // a mistake of the program
    return;
  }
  const char other = 1;
  [[maybe_unused]] const ssize_t written = ::pwrite(trap.file, &other, 1, trap.place);
  ::mprotect(trap.memory, kBytes, PROT_READ | PROT_WRITE);
  ++sprung;
}

class SetTrap {
 public:
  SetTrap(const std::filesystem::path& file, std::uint64_t place) {
    void* memory = ::mmap(nullptr, kBytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    REQUIRE(memory != MAP_FAILED);
    trap = {static_cast<std::byte*>(memory), ::open(file.c_str(), O_WRONLY | O_CLOEXEC), static_cast<off_t>(place)};
    REQUIRE(trap.file >= 0);
    sprung = 0;
    struct sigaction action{};
    action.sa_sigaction = spring;
    action.sa_flags = SA_SIGINFO;
    ::sigaction(SIGSEGV, &action, &before_);
  }
  ~SetTrap() {
    ::sigaction(SIGSEGV, &before_, nullptr);
    ::close(trap.file);
    ::munmap(trap.memory, kBytes);
  }
  SetTrap(const SetTrap&) = delete;
  SetTrap& operator=(const SetTrap&) = delete;

  std::span<std::uint8_t> memory() const { return {reinterpret_cast<std::uint8_t*>(trap.memory), kBytes}; }

 private:
  struct sigaction before_{};
};

// Zeros, which end where the result says.
std::uint64_t write_zeros(const std::filesystem::path& file) {
  Variable<std::uint8_t> zeros{{kBytes}};
  Checkpoint{{"a", zeros}}.write(file, quick());
  const Reader reader = Reader::open(file);
  return reader.info(reader.find("a").value()).offset + kBytes;
}

}  // namespace

TEST_CASE("a file that changes after its check is not restored unnoticed", "[graph][restore]") {
  const TempDir dir;
  const std::uint64_t end = write_zeros(dir / "a.ckpt");
  write_zeros(dir / "b.ckpt");
  const Verify verify = GENERATE(Verify::lazy, Verify::full);
  const SetTrap set{dir / "a.ckpt", end - 1};
  auto variable = Variable<std::uint8_t>::wrap({kBytes}, set.memory());
  Checkpoint checkpoint{{"a", variable}};
  const RestoreOptions options{.verify = verify, .mode = ReadMode::mmap};
  CKPT_REQUIRE_ERROR(error, ErrorCode::corrupt, checkpoint.read(dir / "a.ckpt", options));
  CHECK(sprung > 0);
  CHECK(error.details().object == "a");
  CHECK(contains(error.what(), "the file changed while it was restored: damaged data: chunk 3 of 3"));
  CHECK(contains(error.what(), "restore another checkpoint before you go on"));
  // Nothing but values has changed: the next restore begins as this one did.
  checkpoint.read(dir / "b.ckpt", options).assert_consumed();
  CHECK(std::ranges::count(set.memory(), 0) == std::ptrdiff_t{kBytes});
}

TEST_CASE("a file that changes before it is copied is restored as it was read", "[graph][restore]") {
  const TempDir dir;
  const std::uint64_t end = write_zeros(dir / "a.ckpt");
  const SetTrap set{dir / "a.ckpt", end - 1};
  auto variable = Variable<std::uint8_t>::wrap({kBytes}, set.memory());
  Checkpoint checkpoint{{"a", variable}};
  checkpoint.read(dir / "a.ckpt", {.mode = ReadMode::read}).assert_consumed();
  CHECK(sprung > 0);
  CHECK(std::ranges::count(set.memory(), 0) == std::ptrdiff_t{kBytes});
}
