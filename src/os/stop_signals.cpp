#include "os/stop_signals.hpp"

#include <ckpt/error.hpp>

#include <array>
#include <atomic>
#include <csignal>
#include <cstddef>

namespace ckpt::os {
namespace {

constexpr std::array kSignals{SIGTERM, SIGINT};

using Handler = void (*)(int);

extern "C" void note_signal(int signal);

struct Found {
  struct sigaction before{};   // what the session found, and puts back
  struct sigaction beneath{};  // what note_signal passes on to
  Handler left = SIG_DFL;      // what was there when the last session had ended

  void look_at(const struct sigaction& action) noexcept {
    before = action.sa_handler == note_signal ? beneath : action;  // a program may be late to put it back
    // A handler that stayed when its session ended may be one that passes on to note_signal.
    if (before.sa_handler != left) beneath = before;
  }
};

std::atomic<bool> in_use{false};
std::atomic<int> first_signal{0};
static_assert(std::atomic<int>::is_always_lock_free, "a signal handler may not wait");
std::array<Found, kSignals.size()> found;  // written before the handler can be called

struct sigaction current(int signal) noexcept {
  struct sigaction action{};
  ::sigaction(signal, nullptr, &action);
  return action;
}

// Where the program has installed another handler meanwhile, that one stays.
void put_back() noexcept {
  for (std::size_t i = 0; i < kSignals.size(); ++i) {
    if (current(kSignals[i]).sa_handler == note_signal) ::sigaction(kSignals[i], &found[i].before, nullptr);
  }
}

// Does what the signal would do without this file.
void pass_on(int signal) noexcept {
  const std::size_t i = signal == kSignals[0] ? 0 : 1;
  const struct sigaction& beneath = found[i].beneath;
  if ((beneath.sa_flags & SA_SIGINFO) != 0) {
    siginfo_t info{};
    info.si_signo = signal;
    return beneath.sa_sigaction(signal, &info, nullptr);
  }
  if (beneath.sa_handler == SIG_IGN) return;
  if (beneath.sa_handler != SIG_DFL) return beneath.sa_handler(signal);
  ::sigaction(signal, &beneath, nullptr);
  ::raise(signal);
}

// The first signal of a session is noted. Any other that comes here was passed on by a handler of the program.
extern "C" void note_signal(int signal) {
  int none = 0;
  if (!in_use || !first_signal.compare_exchange_strong(none, signal)) return pass_on(signal);
  put_back();
}

}  // namespace

StopSignals::StopSignals() {
  if (in_use.exchange(true)) {
    throw Error{ErrorCode::busy,
                {.problem = "another session of this process handles SIGTERM and SIGINT",
                 .advice = "end it first, or set SessionOptions::handle_signals to false for one of them"}};
  }
  first_signal.store(0);
  for (std::size_t i = 0; i < kSignals.size(); ++i) found[i].look_at(current(kSignals[i]));
  struct sigaction action{};
  action.sa_handler = note_signal;
  action.sa_flags = SA_RESTART;  // a step that is in a system call goes on
  for (std::size_t i = 0; i < kSignals.size(); ++i) {
    if (found[i].before.sa_handler != SIG_IGN) ::sigaction(kSignals[i], &action, nullptr);
  }
}

StopSignals::~StopSignals() {
  put_back();
  for (std::size_t i = 0; i < kSignals.size(); ++i) found[i].left = current(kSignals[i]).sa_handler;
  in_use.store(false);
}

int StopSignals::caught() const noexcept { return first_signal.load(); }

}  // namespace ckpt::os
