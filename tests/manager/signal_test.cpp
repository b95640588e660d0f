// TrainingSession: SIGTERM and SIGINT.
#include "session.hpp"

#include <support/child.hpp>
#include <unistd.h>

#include <csignal>

using namespace ckpt;
using namespace ckpt::test;

namespace {

struct sigaction replaced{};
volatile std::sig_atomic_t came = 0;
volatile std::sig_atomic_t sender = 0;

extern "C" void count(int) { came = came + 1; }
extern "C" void count_with_info(int number, siginfo_t* info, void*) {
  if (info->si_signo == number) came = came + 1;
  sender = info->si_pid;
}

// As libraries do that want to hear a signal, too.
extern "C" void pass_on(int number) { replaced.sa_handler(number); }

void install_one_that_passes_on() {
  struct sigaction action{};
  action.sa_handler = pass_on;
  ::sigaction(SIGTERM, &action, &replaced);
}

void install_one_that_counts(bool with_info) {
  struct sigaction action{};
  action.sa_handler = count;
  if (with_info) {
    action.sa_sigaction = count_with_info;
    action.sa_flags = SA_SIGINFO;
  }
  ::sigaction(SIGTERM, &action, nullptr);
  came = 0;
}

struct Session {
  explicit Session(const TempDir& dir) : session{program.checkpoint, program.step, dir / "run", options()} {}

  static SessionOptions options() {
    SessionOptions options = quick_session();
    options.handle_signals = true;
    return options;
  }

  Program program;
  TrainingSession session;
};

}  // namespace

TEST_CASE("a signal saves and stops, a second one ends the process", "[manager][session][signal]") {
  TempDir dir;
  const int number = GENERATE(SIGTERM, SIGINT);
  CAPTURE(number);
  void (*const handler)(int) = [](int) {};
  std::signal(number, handler);
  {
    Program program;
    SessionOptions options = quick_session({.save_steps = 1000});
    options.handle_signals = true;
    TrainingSession session{program.checkpoint, program.step, dir / "run", options};
    for (int i = 0; i < 3; ++i) {
      REQUIRE(session.next());
      program.train();
    }
    std::raise(number);
    CHECK(session.should_stop());
    CHECK(session.signal() == number);
    CHECK_FALSE(session.next());
    CHECK(session.stop_reason() == StopReason::signal);
    CHECK(checkpoints_in(dir / "run") == Paths{"model-0.ckpt", "model-3.ckpt"});  // before finish() already
    session.finish();
    CKPT_CHECK_CODE(ErrorCode::busy, TrainingSession(program.checkpoint, program.step, dir / "other", options));
  }
  CHECK(std::signal(number, SIG_DFL) == handler);  // as before
}

TEST_CASE("a second signal ends the process at once", "[manager][session][signal]") {
  TempDir dir;
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    for (const int number : {SIGTERM, SIGINT}) std::signal(number, SIG_DFL);  // not the test framework's
    try {
      Program program;
      TrainingSession session{program.checkpoint, program.step, dir / "run"};
      session.next();
      std::raise(SIGTERM);
      std::raise(SIGINT);
    } catch (...) {
    }
    ::_exit(0);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(WIFSIGNALED(status));
  CHECK(WTERMSIG(status) == SIGINT);
}

TEST_CASE("the program's own handlers are back at the end", "[manager][session][signal]") {
  TempDir dir;
  void (*const handler)(int) = [](int) {};
  for (const int number : {SIGTERM, SIGINT}) std::signal(number, handler);
  {
    Program program;
    SessionOptions options = quick_session();
    options.handle_signals = true;
    const TrainingSession session{program.checkpoint, program.step, dir / "run", options};
  }
  for (const int number : {SIGTERM, SIGINT}) CHECK(std::signal(number, SIG_DFL) == handler);
}

TEST_CASE("a handler that the program installs meanwhile stays", "[manager][session][signal]") {
  TempDir dir;
  void (*const before)(int) = [](int) {};
  void (*const meanwhile)(int) = [](int) {};
  for (const int number : {SIGTERM, SIGINT}) std::signal(number, before);
  const bool signal_comes = GENERATE(false, true);  // then the handlers are put back twice
  {
    Program program;
    SessionOptions options = quick_session();
    options.handle_signals = true;
    const TrainingSession session{program.checkpoint, program.step, dir / "run", options};
    std::signal(SIGTERM, meanwhile);
    if (signal_comes) std::raise(SIGINT);
  }
  CHECK(std::signal(SIGTERM, SIG_DFL) == meanwhile);
  CHECK(std::signal(SIGINT, SIG_DFL) == before);
}

TEST_CASE("a signal that is ignored stays ignored", "[manager][session][signal]") {
  TempDir dir;
  std::signal(SIGINT, SIG_IGN);
  Program program;
  SessionOptions options = quick_session();
  options.handle_signals = true;
  TrainingSession session{program.checkpoint, program.step, dir / "run", options};
  std::raise(SIGINT);
  CHECK_FALSE(session.should_stop());
  std::signal(SIGINT, SIG_DFL);
}

TEST_CASE("a signal that is passed on after the session does what it did before", "[manager][session][signal]") {
  TempDir dir;
  SECTION("it ends the process") {
    const ChildResult result = run_child([&]() -> std::string {
      std::signal(SIGTERM, SIG_DFL);
      {
        const Session session{dir};
        install_one_that_passes_on();
      }
      std::raise(SIGTERM);
      return "alive";
    });
    CHECK(result.signal == SIGTERM);
  }
  SECTION("it has a handler") {
    install_one_that_counts(GENERATE(false, true));
    {
      const Session session{dir};
      install_one_that_passes_on();
    }
    for (int i = 0; i < 2; ++i) std::raise(SIGTERM);
    CHECK(came == 2);
    CHECK(std::signal(SIGTERM, SIG_DFL) == pass_on);
  }
  SECTION("it was ignored by then") {
    const ChildResult result = run_child([&]() -> std::string {
      std::signal(SIGTERM, SIG_DFL);
      {
        const Session session{dir};
        install_one_that_passes_on();
      }
      std::signal(SIGTERM, SIG_IGN);
      {
        const Session session{dir};
      }
      std::signal(SIGTERM, pass_on);
      std::raise(SIGTERM);
      return "";
    });
    CHECK(result.text == "");
  }
}

TEST_CASE("the second signal finds the handler of the program as it was", "[manager][session][signal]") {
  TempDir dir;
  install_one_that_counts(true);
  {
    const Session session{dir};
    for (int i = 0; i < 2; ++i) std::raise(SIGTERM);
    CHECK(came == 1);
    CHECK(sender == ::getpid());  // which only the system says
  }
  std::signal(SIGTERM, SIG_DFL);
}

TEST_CASE("the second signal that is passed on to a session does what it did before", "[manager][session][signal]") {
  TempDir dir;
  install_one_that_counts(false);
  {
    const Session session{dir};
    install_one_that_passes_on();
    std::raise(SIGTERM);
    CHECK(session.session.signal() == SIGTERM);
    CHECK(came == 0);
    std::raise(SIGTERM);
    CHECK(came == 1);
  }
  std::signal(SIGTERM, SIG_DFL);
}

TEST_CASE("sessions that find a handler of an earlier one, or their own", "[manager][session][signal]") {
  TempDir dir;
  const bool is_put_back = GENERATE(false, true);
  const ChildResult result = run_child([&]() -> std::string {  // a circle of handlers would end it
    install_one_that_counts(false);
    {
      const Session session{dir};
      install_one_that_passes_on();
    }
    if (is_put_back) ::sigaction(SIGTERM, &replaced, nullptr);
    for (int i = 1; i <= 2; ++i) {
      {
        const Session session{dir};
        std::raise(SIGTERM);
        if (session.session.signal() != SIGTERM) return "not noted";
        if (came != 2 * i - 2) return "noted, and passed on";
        std::raise(SIGTERM);
        if (came != 2 * i - 1) return "the second one is not passed on";
      }
      std::raise(SIGTERM);
      if (came != 2 * i) return "not passed on after the session";
    }
    return "";
  });
  CHECK(result.text == "");
}

TEST_CASE("a handler that came between sessions has the signals that are passed on", "[manager][session][signal]") {
  TempDir dir;
  const ChildResult result = run_child([&]() -> std::string {
    std::signal(SIGTERM, SIG_DFL);
    {
      const Session session{dir};
    }
    install_one_that_counts(false);
    {
      const Session session{dir};
      install_one_that_passes_on();
    }
    std::raise(SIGTERM);
    return came == 1 ? "" : "not passed on";
  });
  CHECK(result.text == "");
}
