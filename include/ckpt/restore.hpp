// Options and outcome of restoring objects from a checkpoint.
#pragma once

#include <ckpt/reader.hpp>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace ckpt {

namespace graph {
class Restoration;
struct Access;
}  // namespace graph

/// How a restored variable gets its memory.
enum class Binding : std::uint8_t {
  copy,           ///< into the memory that the variable has, or new memory that it owns
  view,           ///< read-only, where it lies in the file's shared mapping: no copy, and shared with other processes
  copy_on_write,  ///< writable, in a private mapping: a page is copied when it is first written to. A tensor that is
                  ///< compressed or shares its blob with another is copied, and so is everything in ReadMode::read
};

struct RestoreOptions {
  Binding binding = Binding::copy;
  /// lazy checks the sums of each tensor when a variable gets it; restore() checks those of all existing variables
  /// before it changes one. full reads and checks the whole file first.
  Verify verify = Verify::lazy;
  ReadMode mode = ReadMode::automatic;
};

/// What a restore has matched so far, and what it still waits for. A handle: copies share one state, which also grows
/// as objects appear later. Values that wait for their objects keep the file's mapping (no descriptor), so the file may
/// be deleted in between; they do not keep any object alive.
///
/// When nothing waits any more, or everything that could wait is gone, and values of the file were never used, one
/// warning goes to the log callback, unless expect_partial() was called.
///
/// Paths in lists and messages are object paths. An assert throws mismatch with up to ten of them and returns *this
/// otherwise; it may be called again when more objects exist. Use it from the thread that uses the objects.
class RestoreStatus {
 public:
  /// Every value in the file reached an object that is alive, and assert_existing_objects_matched() holds.
  const RestoreStatus& assert_consumed() const;

  /// Every variable that the checkpoint reaches now got its value from this file (or from a later restore). The file
  /// may hold more.
  const RestoreStatus& assert_existing_objects_matched() const;

  /// Something besides the root and its save counter was matched.
  const RestoreStatus& assert_nontrivial_match() const;

  /// No warning about values that are never used. Changes no assert.
  const RestoreStatus& expect_partial() const;

  /// Paths of values in the file that no object has taken, sorted.
  std::vector<std::string> unmatched_in_file() const;

  /// Paths of variables that exist now and got no value from this restore or a later one, sorted.
  std::vector<std::string> unmatched_in_program() const;

  /// Paths of values in the file that an object will get as soon as it is tracked, sorted.
  std::vector<std::string> pending() const;

 private:
  friend struct graph::Access;
  explicit RestoreStatus(std::shared_ptr<graph::Restoration> restoration) : restoration_{std::move(restoration)} {}

  std::shared_ptr<graph::Restoration> restoration_;
};

}  // namespace ckpt
