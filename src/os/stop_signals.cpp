#include "os/stop_signals.hpp"

#include <ckpt/error.hpp>

#include <array>
#include <atomic>
#include <csignal>
#include <cstddef>

namespace ckpt::os {
namespace {

constexpr std::array kSignals{SIGTERM, SIGINT};

std::atomic<bool> in_use{false};
std::atomic<int> first_signal{0};
static_assert(std::atomic<int>::is_always_lock_free, "a signal handler may not wait");
std::array<struct sigaction, kSignals.size()> before{};  // written before the handler can be called

extern "C" void note_signal(int signal);

// Where the program has installed another handler meanwhile, that one stays.
void put_back() noexcept {
  for (std::size_t i = 0; i < kSignals.size(); ++i) {
    struct sigaction current{};
    ::sigaction(kSignals[i], nullptr, &current);
    if (current.sa_handler == note_signal) ::sigaction(kSignals[i], &before[i], nullptr);
  }
}

extern "C" void note_signal(int signal) {
  first_signal.store(signal);
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
  for (std::size_t i = 0; i < kSignals.size(); ++i) ::sigaction(kSignals[i], nullptr, &before[i]);
  struct sigaction action{};
  action.sa_handler = note_signal;
  action.sa_flags = SA_RESTART;  // a step that is in a system call goes on
  for (std::size_t i = 0; i < kSignals.size(); ++i) {
    if (before[i].sa_handler != SIG_IGN) ::sigaction(kSignals[i], &action, nullptr);
  }
}

StopSignals::~StopSignals() {
  put_back();
  in_use.store(false);
}

int StopSignals::caught() const noexcept { return first_signal.load(); }

}  // namespace ckpt::os
