// How long a log callback lives.
#include "base/log.hpp"

#include <catch2/catch.hpp>
#include <support/child.hpp>

#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>

using namespace ckpt;
using namespace ckpt::test;

namespace {

/// Says when it is destroyed.
struct Token {
  explicit Token(bool& flag) : alive{flag} { alive = true; }
  ~Token() { alive = false; }
  Token(const Token&) = delete;
  Token& operator=(const Token&) = delete;
  bool& alive;
};

bool token_lives = false;
bool heard = false;

/// Logs when the program ends: it was made before main, and so goes after all that was first used in main.
struct LastWords {
  ~LastWords() {
    if (!armed) return;
    base::log(LogLevel::warning, "the end");
    ::_exit(heard ? 0 : 1);
  }
  bool armed = false;
} last_words;

}  // namespace

TEST_CASE("a log callback that takes itself off stays until it has returned") {
  bool alive = false;
  bool alive_inside = false;
  int calls = 0;
  set_log_callback([&, token = std::make_shared<Token>(alive)](LogLevel, std::string_view) {
    ++calls;
    set_log_callback({});
    alive_inside = alive;
  });
  base::log(LogLevel::info, "first");
  CHECK(alive_inside);
  CHECK_FALSE(alive);
  base::log(LogLevel::info, "second");
  CHECK(calls == 1);
}

TEST_CASE("a log callback may set another, log, and log again when it goes") {
  std::string lines;
  const auto write = [&](LogLevel, std::string_view message) { lines += std::string{message} + '\n'; };
  struct LogsAtItsEnd {
    ~LogsAtItsEnd() { base::log(LogLevel::info, "it went"); }
  };
  set_log_callback([&, guard = std::make_shared<LogsAtItsEnd>()](LogLevel, std::string_view message) {
    lines += std::string{message} + '\n';
    set_log_callback(write);
    base::log(LogLevel::info, "inside");
  });
  base::log(LogLevel::info, "first");
  base::log(LogLevel::info, "second");
  set_log_callback({});
  CHECK(lines == "first\ninside\nit went\nsecond\n");
}

TEST_CASE("what ends after main still logs") {
  Process child{[] {
    set_log_callback([token = std::make_shared<Token>(token_lives)](LogLevel, std::string_view message) {
      heard = token_lives && message == "the end";
    });
    last_words.armed = true;
    std::exit(2);
  }};
  CHECK(child.exit_status() == 0);
}
