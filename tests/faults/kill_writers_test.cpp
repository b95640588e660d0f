// Processes save in one directory at once, to one path and under names that each may take first, while one after the
// other is killed at each system call of a save and another cleans up. No save of those that live is disturbed, and
// every file is whole. CKPT_TEST_KILLS asks for more kills.
#include "killing.hpp"

#include <array>
#include <functional>
#include <set>

using namespace ckpt;
using namespace ckpt::test;
using door::Effect;
namespace fs = std::filesystem;

namespace {

constexpr int kWriters = 3;
constexpr std::int64_t kMostNames = 20'000;

struct Board {
  std::atomic<bool> ending{false};
  std::atomic<std::int64_t> next{0};  // the name that all want to take
  std::array<std::atomic<std::int64_t>, kWriters> saved{};
  std::atomic<std::int64_t> cleaned{0};
  std::array<std::atomic<unsigned char>, kMostNames> taken{};  // how many processes took a name
};

// All of a file follows from who saved it and when.
constexpr std::size_t kElements = 1000;

void save(const fs::path& path, std::int64_t who, std::int64_t number, bool replace) {
  WriterOptions options;
  options.replace = replace;
  options.durable = number % 2 == 0;
  options.step = number;
  Writer writer{path, options};
  const std::vector<std::int64_t> values(kElements, number * 1000 + who);
  writer.add<std::int64_t>("v", {kElements}, values);
  writer.commit();
}

// The step of a file, which is whole.
std::int64_t load(const fs::path& path) {
  const Reader reader = Reader::open(path, {.verify = Verify::full});
  const TensorView view = reader.tensor("v");
  const auto values = view.as<std::int64_t>();
  if (std::ranges::count(values, values[0]) != kElements) throw std::runtime_error("a mixture of two saves");
  return values[0] / 1000;
}

fs::path name_of(const fs::path& dir, std::int64_t number) { return dir / ("n-" + std::to_string(number) + ".ckpt"); }

// Takes the next name, or finds that another one was faster.
void take_name(const fs::path& dir, std::int64_t who, Board& board) {
  const std::int64_t number = board.next;
  if (number >= kMostNames) return;
  try {
    save(name_of(dir, number), who, number, false);
    ++board.taken[static_cast<std::size_t>(number)];
  } catch (const Error& error) {
    if (error.code() != ErrorCode::already_exists) throw;
  }
  std::int64_t expected = number;
  board.next.compare_exchange_strong(expected, number + 1);
}

// A process that does `step` until the test ends.
template <typename Step>
pid_t start(Board& board, Step&& step) {
  std::cout.flush();
  const pid_t child = ::fork();
  if (child != 0) return child;
  try {
    while (!board.ending) step();
  } catch (const std::exception& error) {
    std::cerr << error.what() << std::endl;
    ::_exit(1);
  }
  ::_exit(0);
}

// Ends the processes of a test whatever comes.
struct Crowd {
  explicit Crowd(Board& board) : board_{board} {}
  ~Crowd() { end(); }
  Crowd(const Crowd&) = delete;
  Crowd& operator=(const Crowd&) = delete;
  void add(pid_t child) { children_.push_back(child); }
  /// How many failed.
  int end() {
    board_.ending = true;
    int failed = 0;
    for (const pid_t child : children_) failed += wait_for(child).exit_status == 0 ? 0 : 1;
    children_.clear();
    return failed;
  }

 private:
  Board& board_;
  std::vector<pid_t> children_;
};

// One more writer, which is killed. False when it came to its end.
bool kill_a_writer(const fs::path& dir, Board& board, Effect effect, std::uint64_t nth) {
  const auto run = [&]() -> std::string {
    const door::Guard guard{{{.effect = effect, .nth = nth}}};
    save(dir / "a.ckpt", kWriters, 0, true);
    take_name(dir, kWriters, board);
    return "";
  };
  const ChildResult ended = run_child(run, SIGKILL);
  INFO("killed at call " << nth);
  REQUIRE(ended.text == "");
  const ChildResult judged = run_child([&]() -> std::string {
    load(dir / "a.ckpt");
    return "";
  });
  REQUIRE(judged.text == "");
  return ended.signal == SIGKILL;
}

int kill_writers(const fs::path& dir, Board& board) {
  int killed = 0;
  const int wanted = kills(0);
  do {
    for (const Effect effect : {Effect::kill, Effect::kill_half, Effect::kill_after}) {
      for (std::uint64_t nth = 1; kill_a_writer(dir, board, effect, nth); ++nth) ++killed;
    }
  } while (killed < wanted);
  return killed;
}

}  // namespace

TEST_CASE("a writer is killed at every system call while others save in the same directory") {
  const QuietLog quiet;
  const TempDir dir{memory_dir()};
  const Shared<Board> shared;
  Board& board = *shared;
  save(dir / "a.ckpt", 0, 0, true);
  Crowd crowd{board};
  for (int who = 0; who < kWriters; ++who) {
    crowd.add(start(board, [&, who] {
      save(dir / "a.ckpt", who, ++board.saved[static_cast<std::size_t>(who)], true);
      take_name(dir.path(), who, board);
    }));
  }
  // The start of a manager removes what the killed have left, and nothing else.
  crowd.add(start(board, [&] {
    Program{dir.path()};
    ++board.cleaned;
  }));
  const int killed = kill_writers(dir.path(), board);
  CHECK(crowd.end() == 0);
  const std::size_t left = temporaries_in(dir.path());
  Program{dir.path()};
  CHECK(temporaries_in(dir.path()) == 0);
  std::int64_t saves = 0;
  for (const auto& saved : board.saved) {
    CHECK(saved > 0);
    saves += saved;
  }
  CHECK(board.cleaned > 0);
  load(dir / "a.ckpt");
  int twice = 0;
  for (std::int64_t number = 0; number < board.next; ++number) {
    REQUIRE(load(name_of(dir.path(), number)) == number);
    twice += board.taken[static_cast<std::size_t>(number)] > 1 ? 1 : 0;
  }
  CHECK(twice == 0);
  CHECK(killed > 50);
  std::cout << killed << " kills beside " << saves << " saves of " << kWriters << " others, " << board.next
            << " names taken, " << board.cleaned << " cleanings, " << left << " temporaries left to the last\n";
}
