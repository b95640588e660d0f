// The Nth call fails, for N = 1, 2, 3, … until an operation comes to its end without being struck.
#pragma once

#include "door.hpp"
#include "world.hpp"

#include <ckpt/error.hpp>

#include <catch2/catch.hpp>
#include <support/files.hpp>
#include <support/temp_dir.hpp>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace ckpt::test {

/// What an operation came to under faults.
struct Struck {
  std::optional<Error> error;
  std::string other;               ///< an exception that is no ckpt::Error
  std::vector<door::Event> calls;  ///< that were made to fail

  bool ok() const { return !error && other.empty(); }
  bool any(door::Call call) const {
    return std::any_of(calls.begin(), calls.end(), [&](const door::Event& event) { return event.call == call; });
  }
  bool any_error(int error_number) const {
    return std::any_of(calls.begin(), calls.end(),
                       [&](const door::Event& event) { return event.error == error_number; });
  }
};

/// An operation with a world of its own: `dir` is new and empty.
class Operation {
 public:
  Operation() = default;
  virtual ~Operation() = default;
  Operation(const Operation&) = delete;
  Operation& operator=(const Operation&) = delete;
  /// Under faults. What it makes is gone when it returns.
  virtual void run() = 0;
  /// Without faults: what is wrong with the world afterwards, or nothing. Tries once more.
  virtual std::string judge(const Struck& struck) = 0;
};

inline std::size_t open_descriptors() { return names_in("/proc/self/fd").size(); }

/// Mappings of files below `dir`.
inline std::size_t mapped_files(const std::filesystem::path& dir) {
  std::ifstream maps{"/proc/self/maps"};
  std::size_t count = 0;
  for (std::string line; std::getline(maps, line);) {
    if (line.find(dir.native()) != std::string::npos) ++count;
  }
  return count;
}

inline std::string describe(const door::Fault& fault) {
  constexpr const char* kEffects[] = {"fails", "is done and fails", "moves nothing", "moves a byte", "moves half"};
  return (fault.kind ? std::string{door::to_string(*fault.kind)} : "call") + " " + std::to_string(fault.nth) + " " +
         kEffects[static_cast<std::size_t>(fault.effect)] +
         (fault.error != 0 ? std::string{" with "} + std::strerror(fault.error) : "") +
         (fault.times == 1                ? ", once"
          : fault.times == door::kForEver ? ", and so on"
                                          : ", some times") +
         (fault.scope == door::Scope::all ? ", all calls" : "");
}

/// Whether a transfer is to go on after that.
inline bool is_continued(const door::Event& event) {
  using door::Call;
  const bool transfer = event.call == Call::pread || event.call == Call::pwrite || event.call == Call::read ||
                        event.call == Call::getrandom;
  return transfer && (event.error == EINTR || event.result > 0);
}

/// Why this is the wrong error for what was struck, or nothing.
inline std::string wrong_error(const Struck& struck) {
  using door::Call;
  if (!struck.other.empty()) return "no ckpt::Error: " + struck.other;
  const Error& error = *struck.error;
  const int number = error.details().system_error;
  if (number == EINTR && is_continued(struck.calls.back())) return "an interrupted transfer was not tried again";
  if (error.code() == ErrorCode::io && struck.any_error(number)) return {};
  if (error.code() == ErrorCode::limit && struck.any(Call::mmap)) return {};  // staging memory
  // Another one seems to have the lock.
  if (struck.any(Call::fcntl) && struck.any_error(EACCES) &&
      (error.code() == ErrorCode::busy || (error.code() == ErrorCode::io && number == 0))) {
    return {};
  }
  if (error.code() == ErrorCode::limit && struck.any(Call::start_thread)) return {};
  // A manager passes over files that the disk does not give, and found no other.
  if (error.code() == ErrorCode::corrupt && struck.any_error(EIO)) return {};
  // A transfer of nothing: the end of the file, or a device that takes nothing.
  const auto empty = [](const door::Event& event) { return event.size > 0 && event.result == 0; };
  if (std::any_of(struck.calls.begin(), struck.calls.end(), empty)) {
    if (error.code() == ErrorCode::io && (number == EIO || number == ENOSPC)) return {};
    if (error.code() == ErrorCode::corrupt && struck.any(Call::pread)) return {};
  }
  return "the wrong error";
}

struct Sweep {
  std::uint64_t runs = 0;
  std::uint64_t failed = 0;        ///< with an error
  std::set<std::string> survived;  ///< kinds of calls whose failure, alone, did not stop the operation
};

/// One operation under one fault, after `before`. False when the fault found no call any more.
template <typename Make>
bool strike_once(const Make& make, const std::vector<door::Fault>& before, const door::Fault& fault, Sweep& sweep) {
  const TempDir dir{memory_dir()};
  auto operation = make(dir.path());
  const std::size_t descriptors = open_descriptors();
  const std::int64_t mappings = door::live_mappings();
  const std::uint64_t strays = door::stray_closes();
  Struck struck;
  std::vector<door::Fault> faults = before;
  faults.push_back(fault);
  {
    const door::Guard guard{faults};
    try {
      operation->run();
    } catch (const Error& error) {
      struck.error = error;
    } catch (const std::exception& error) {
      struck.other = error.what();
    }
  }
  struck.calls = door::struck();
  const bool fired = door::fired(faults.size() - 1) > 0;
  std::string wrong;
  if (!fired && !struck.ok() && before.empty()) wrong = "it fails though nothing was struck";
  if (fired && !struck.ok()) wrong = wrong_error(struck);
  if (open_descriptors() != descriptors) wrong += "; a descriptor leaks";
  if (door::stray_closes() != strays) wrong += "; a descriptor is closed twice";
  if (door::live_mappings() != mappings || mapped_files(dir.path()) != 0) wrong += "; a mapping leaks";
  if (wrong.empty()) wrong = operation->judge(struck);
  ++sweep.runs;
  if (!struck.ok()) ++sweep.failed;
  // How many threads an operation asks for depends on the machine.
  const bool counts = fired && struck.ok() && fault.times == 1 && !struck.any(door::Call::start_thread);
  if (counts && !is_continued(struck.calls.back())) {
    sweep.survived.emplace(to_string(struck.calls.back().call));
  }
  if (!wrong.empty()) {
    std::string text = describe(fault);
    for (const auto& event : struck.calls) {
      text += "\n  " + std::string{to_string(event.call)} + " " + event.name;
      if (&event - struck.calls.data() > 8) break;
    }
    UNSCOPED_INFO(text << "\n" << (struck.error ? struck.error->what() : "no error"));
    CHECK(wrong == "");
  }
  return fired;
}

/// The faults of the contract, each from the first call on.
inline std::vector<door::Fault> all_faults() {
  using door::Effect;
  std::vector<door::Fault> faults;
  for (const int error : {ENOSPC, EIO, EDQUOT, EMFILE, ENOMEM, EACCES, EROFS}) {
    faults.push_back({Effect::fail, error});
    faults.push_back({Effect::fail, error, 1, door::kForEver});
    faults.push_back({Effect::fail, error, 1, door::kForEver, door::Scope::all});
  }
  // A call that is interrupted for ever is tried again for ever.
  faults.push_back({Effect::fail, EINTR});
  faults.push_back({Effect::fail, EINTR, 1, 10});
  faults.push_back({Effect::fail_after, EIO});
  for (const Effect effect : {Effect::none, Effect::one, Effect::half}) {
    faults.push_back({effect});
    faults.push_back({effect, 0, 1, door::kForEver});
  }
  return faults;
}

/// The kinds of calls that an operation makes.
template <typename Make>
std::set<door::Call> kinds_of(const Make& make, const std::vector<door::Fault>& before) {
  const TempDir dir{memory_dir()};
  auto operation = make(dir.path());
  {
    const door::Guard guard{before, true};
    operation->run();
  }
  std::set<door::Call> kinds;
  for (const door::Event& event : door::events()) kinds.insert(event.call);
  return kinds;
}

/// All of `faults` at the Nth call of each kind, for every N: threads may mix calls of different kinds in any order.
/// `make(dir)` gives a std::unique_ptr<Operation>.
template <typename Make>
Sweep strike_all(const std::string& name, const Make& make, const std::vector<door::Fault>& faults = all_faults(),
                 const std::vector<door::Fault>& before = {}) {
  constexpr std::uint64_t kMost = 2000;
  Sweep sweep;
  const std::set<door::Call> kinds = kinds_of(make, before);
  const std::uint64_t calls = door::calls();
  for (door::Fault fault : faults) {
    for (const door::Call kind : kinds) {
      if (!door::can_strike(fault.effect, kind)) continue;
      fault.kind = kind;
      fault.nth = 1;
      while (strike_once(make, before, fault, sweep)) {
        ++fault.nth;
        REQUIRE(fault.nth < kMost);
      }
    }
  }
  std::cout << name << ": " << calls << " calls, " << sweep.runs << " runs, " << sweep.failed
            << " failed; one alone may fail of:";
  for (const std::string& call : sweep.survived) std::cout << ' ' << call;
  std::cout << std::endl;
  return sweep;
}

}  // namespace ckpt::test
