// How a tensor of a file becomes the value of a variable.
#pragma once

#include "graph/node.hpp"
#include "graph/restoration.hpp"

#include <ckpt/reader.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace ckpt::graph {

/// A tensor of the file beside a variable.
struct Fit {
  enum class Kind : std::uint8_t {
    exact,  ///< same dtype and shape
    cast,   ///< to be converted
    skip,   ///< to be left alone
    none,   ///< an error
  };
  Kind kind = Kind::none;
  std::uint32_t file_node = 0;
  std::size_t tensor = 0;  ///< number in the reader
  TensorInfo info;
};

/// `path` is that of the variable, where the rules need it. Throws corrupt when the file has no such tensor.
Fit fit(const Restoration& restoration, std::uint32_t file_node, DType dtype, const Shape& shape,
        std::string_view path);

/// The error that Fit::Kind::none is.
Error mismatch(const Restoration& restoration, const Fit& fit, DType dtype, const Shape& shape);

/// The value for a new variable of that dtype, in memory as the restoration's binding wants. Throws corrupt, io.
Storage new_storage(Restoration& restoration, const Fit& fit, DType dtype);

/// Where elements go: as they are, or converted where can_cast() says so.
struct Copy {
  std::byte* to = nullptr;
  DType to_dtype{};
  std::span<const std::byte> from;
  DType from_dtype{};
  bool converts() const noexcept { return to_dtype != from_dtype; }
};

/// Adds a copy, in pieces for several threads.
void add_pieces(std::vector<Copy>& copies, const Copy& whole);

/// Makes copies that do not overlap, with up to `threads` threads, 0 for one per core; without memory for them, with
/// this one alone.
void copy_all(std::span<const Copy> copies, unsigned threads) noexcept;

/// Values that go from the file straight into variables, and are checked on the way.
struct StraightReads {
  Reader reader;
  std::vector<ReadRequest> requests;
  std::vector<Copy> copies;  ///< the same, out of a mapping whose sums have been checked; empty when they have not
};

/// Whether a value that has been checked is to be read so, and not out of memory that nobody else changes.
bool lies_in_mapping(const Restoration& restoration, const TensorInfo& info);

/// Whether a value is to be read so without having been checked.
bool goes_straight(const Restoration& restoration, const Fit& fit, const VariableNode& variable);

/// Reads and checks them. Where they have been checked, the file may have changed since, and without memory for checks
/// they are only copied. Throws corrupt, io, limit: then some of the variables have a part of their values.
void read_straight(const StraightReads& reads);

/// A value on its way to a variable that exists.
struct NewValue {
  TensorView value;     ///< what is copied, or converted, unless `replacement` has it already
  Storage replacement;  ///< new memory for the variable; no owner when it keeps its own
  bool copies = true;
};

/// `value` is the tensor as the reader gives it. Changes no variable. Throws corrupt when it is none that a program can
/// use.
NewValue new_value(Restoration& restoration, const Fit& fit, const VariableNode& variable, TensorView value);

/// For one that goes_straight(): new memory for it, or none.
NewValue straight_value(const Fit& fit, const VariableNode& variable);

/// Where the value of a variable is to be.
std::span<std::byte> destination(const VariableNode& variable, const NewValue& value);

/// What remains to be copied when the variable was assigned the value; nothing when it is mapped.
Copy copy_for(const VariableNode& variable, const NewValue& value);

/// All but that copy, which comes first.
void assign(VariableNode& variable, NewValue&& value, std::uint64_t uid) noexcept;

}  // namespace ckpt::graph
