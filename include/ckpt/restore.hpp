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

/// What happens to an existing or new variable whose value in the file has another dtype or shape.
enum class OnMismatch : std::uint8_t {
  error,  ///< mismatch is thrown, and nothing changes
  skip,   ///< the variable keeps what it has (a new one is initialised); the status lists it
  cast,   ///< f16, bf16, f32 and f64 are converted into each other, rounded to the nearest, ties to even; any other
          ///< difference is an error
};

/// Paths in patterns are names joined by '/'; one '*' in a name stands for any run of characters of it. A pattern that
/// names an object covers everything below, too ("/**" may be written behind it); "**" is everything.
struct MismatchRule {
  std::string pattern;  ///< of paths in the program
  OnMismatch action = OnMismatch::error;
};

/// Where an object of the program is to be found in the file when its path there is another:
/// `{"encoder/**", "backbone/**"}`, `{"layers/*/attention", "h/*/attn"}` (each '*' of the file's path stands for what
/// the one in the program's path matched). An empty `file` means: nowhere, leave it alone. An
/// object that the program has under several paths takes the value that is found first, by the shortest path and, among
/// those, in the order of names: a rename of another of its paths does not count then, so name the first.
struct Rename {
  std::string program;
  std::string file;
  friend bool operator==(const Rename&, const Rename&) = default;
};

struct RestoreOptions {
  Binding binding = Binding::copy;
  /// lazy checks the sums of each tensor when a variable gets it; what restore() copies out of a mapping for existing
  /// variables is checked once more as it is copied. full reads and checks the whole file first.
  Verify verify = Verify::lazy;
  ReadMode mode = ReadMode::automatic;
  /// Whether restore() reads and checks the values of all existing variables before it changes one, so that a damaged
  /// file changes nothing. Without, they go straight where they belong and are checked on the way: in one pass over the
  /// file, and in ReadMode::read and for compressed tensors without memory for a second copy. An error of code corrupt
  /// or io may then leave variables with a part of the file's values, and says so. Dtypes and shapes are compared
  /// before anything changes in any case; values that are converted, bools and texts are always checked first.
  bool check_first = true;
  /// Path in the file of the object that stands for the root of the checkpoint; empty for the file's own root. With
  /// "net", a Checkpoint of one layer {"l1", layer} takes `net/l1`; what lies elsewhere in the file does not count as
  /// unused.
  std::string root = {};
  /// The first that names an object decides; for what none names, the names in the file are those in the program.
  std::vector<Rename> renames = {};
  /// The first that covers a path decides; error where none does.
  std::vector<MismatchRule> on_mismatch = {};
  /// Whether slot variables (an optimizer's state for a variable) are restored; without, they are left alone and no
  /// assert asks for them.
  bool slots = true;
};

/// What a restore would do now, found out without changing anything. Paths of the program count from the root of the
/// checkpoint, those of the file from the file's own root. All lists are sorted.
struct RestorePlan {
  struct Match {
    std::string path;       ///< in the program
    std::string file_path;  ///< in the file
    friend bool operator==(const Match&, const Match&) = default;
  };
  struct Mismatch {
    std::string path;
    std::string file_path;
    DType wanted_dtype{};  ///< of the variable
    Shape wanted_shape;
    DType found_dtype{};  ///< in the file
    Shape found_shape;
    OnMismatch action{};  ///< what restoring will do: error also where the rule says cast and that is not possible
  };

  std::vector<Match> matched;        ///< variables that get a value as it is
  std::vector<Mismatch> mismatched;  ///< variables whose value has another dtype or shape
  std::vector<std::string> missing;  ///< variables of the program for which the file has nothing
  std::vector<std::string> extra;    ///< values of the file for which the program has no object yet
  std::vector<Match> aliases;        ///< paths in the file (`path`) that share the blob of another (`file_path`)

  /// Renames that do nothing now: no object of the program has such a path, an earlier rename comes first wherever one
  /// has, or the file has nothing where they lead. In the order of RestoreOptions::renames.
  std::vector<Rename> idle_renames;

  /// Whether restoring would succeed, as far as dtypes and shapes tell. (Sums of the data are not checked here.)
  bool applicable() const;

  /// One line: "12 matched, 1 mismatched, 0 missing, 3 extra", and renames that do nothing, if there are any.
  std::string summary() const;
};

/// What a restore has matched so far, and what it still waits for. A handle: copies share one state, which also grows
/// as objects appear later. Values that wait for their objects keep the file open (one descriptor) and mapped, so it
/// may be deleted in between; they do not keep any object alive. A value that was given to one object is not given to
/// another, even if the first was destroyed: what takes its place starts afresh. The status keeps neither file nor
/// objects: when nothing waits any more, the mapping is gone, and the disk space of a deleted file with it.
///
/// A later restore of the same root object (through any Checkpoint of it, or load_weights) takes the place of an
/// earlier one whose status nobody holds, if it has, under the same names, a value wherever the earlier one still has
/// one to give. That is compared object by object, so a value under a second name of a shared object counts. Both stay
/// when their renames or RestoreOptions::slots differ, or when the later one may skip a value (OnMismatch::skip) and
/// its rules, dtypes or shapes are not those of the earlier.
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

  /// This file has a value for every variable that the checkpoint reaches now, and each got that or, where a later
  /// restore has one too, that of the later. A variable that only another restore knows fails. The file may hold more.
  const RestoreStatus& assert_existing_objects_matched() const;

  /// Something besides the root and its save counter was matched.
  const RestoreStatus& assert_nontrivial_match() const;

  /// No warning about values that are never used. Changes no assert.
  const RestoreStatus& expect_partial() const;

  /// Paths of values in the file that no object has taken, sorted.
  std::vector<std::string> unmatched_in_file() const;

  /// Paths of variables that exist now and for which this file has no value, or whose value came from an earlier
  /// restore; sorted. What only a later restore gave is listed, too.
  std::vector<std::string> unmatched_in_program() const;

  /// Paths of values in the file that an object will get as soon as it is tracked, sorted. With renames, values that
  /// are to go elsewhere than where their own names lead are not foreseen here.
  std::vector<std::string> pending() const;

  /// Paths of values in the file that a variable was found for and did not get, by OnMismatch::skip; sorted. They count
  /// as used, and their variables as matched.
  std::vector<std::string> skipped() const;

 private:
  friend struct graph::Access;
  explicit RestoreStatus(std::shared_ptr<graph::Restoration> restoration) : restoration_{std::move(restoration)} {}

  std::shared_ptr<graph::Restoration> restoration_;
};

}  // namespace ckpt
