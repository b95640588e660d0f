#include "graph/restored_value.hpp"

#include "base/parallel.hpp"
#include "base/stream_copy.hpp"
#include "base/text.hpp"
#include "graph/cast.hpp"

#include <ckpt/error.hpp>

#include <algorithm>
#include <new>
#include <utility>
#include <vector>

namespace ckpt::graph {
namespace {

// Of pieces that small, a core that does other things besides takes fewer.
constexpr std::size_t kPiece = std::size_t{4} << 20U;

// A private mapping serves a tensor that lies in it as it is. One that shares its place is copied, whether the file
// says so or not: writing to one variable must not change another. Nor does a second variable get what the first one
// may have written to.
bool maps_privately(Restoration& restoration, std::uint32_t file_node, const TensorInfo& info) {
  const Reader& reader = restoration.reader();
  return !restoration.matched(file_node) && reader.file().mode == ReadMode::mmap &&
         info.compression == Compression::none && !info.alias_of && restoration.claim(info.offset, info.size_bytes);
}

// What the program relies on beyond dtype and shape.
void require_sound(const TensorView& value) {
  if (value.dtype() == DType::boolean) static_cast<void>(value.as<bool>());
  if (!has_variable_length(value.dtype())) return;
  const std::vector<std::string> elements = value.strings();
  if (value.dtype() == DType::string && !std::ranges::all_of(elements, base::is_utf8)) {
    throw Error{ErrorCode::corrupt, {.problem = "a text is not UTF-8"}};
  }
}

Storage view_of(const TensorView& value) {
  const auto bytes = value.bytes();
  return {Storage::Kind::view, const_cast<std::byte*>(bytes.data()), bytes.size(), value.owner()};
}

Storage private_part(const Reader& reader, const TensorInfo& info) {
  std::shared_ptr<std::byte> mapping = reader.private_mapping();
  std::byte* data = mapping.get() + info.offset;
  return {Storage::Kind::mapping, data, static_cast<std::size_t>(info.size_bytes), std::move(mapping)};
}

std::size_t tensor_index(const Restoration& restoration, std::uint32_t file_node) {
  const std::string& path = *restoration.file().tensor(file_node);
  if (const auto index = restoration.reader().find(path)) return *index;
  throw Error{
      ErrorCode::corrupt,
      {.problem = "the object graph names a tensor that is not there", .file = restoration.path(), .object = path}};
}

// Checks the value, and names file and path in what is wrong with it.
TensorView sound(const Restoration& restoration, const Fit& fit, TensorView value) {
  try {
    require_sound(value);
  } catch (const Error& error) {
    ErrorDetails details = error.details();
    details.file = restoration.path();
    details.object = fit.info.path;
    throw Error{error.code(), std::move(details)};
  }
  return value;
}

TensorView sound_value(const Restoration& restoration, const Fit& fit) {
  return sound(restoration, fit, restoration.reader().tensor(fit.tensor));
}

// How many bytes the first `size` bytes of what is copied become.
std::size_t size_at_destination(const Copy& copy, std::size_t size) {
  return copy.converts() ? size / (bits_of(copy.from_dtype) / 8) * (bits_of(copy.to_dtype) / 8) : size;
}

void make(const Copy& copy) {
  if (copy.converts()) {
    cast(copy.from_dtype, copy.from, copy.to_dtype, {copy.to, size_at_destination(copy, copy.from.size())});
  } else {
    base::stream_copy(copy.to, copy.from.data(), copy.from.size());
  }
}

}  // namespace

Fit fit(const Restoration& restoration, std::uint32_t file_node, DType dtype, const Shape& shape,
        std::string_view path) {
  Fit result;
  result.file_node = file_node;
  result.tensor = tensor_index(restoration, file_node);
  result.info = restoration.reader().info(result.tensor);
  if (result.info.dtype == dtype && result.info.shape == shape) {
    result.kind = Fit::Kind::exact;
    return result;
  }
  switch (restoration.rules().on_mismatch(path)) {
    case OnMismatch::skip:
      result.kind = Fit::Kind::skip;
      break;
    case OnMismatch::cast:
      if (result.info.shape == shape && can_cast(result.info.dtype, dtype)) result.kind = Fit::Kind::cast;
      break;
    case OnMismatch::error:
      break;
  }
  return result;
}

Error mismatch(const Restoration& restoration, const Fit& fit, DType dtype, const Shape& shape) {
  return Error{ErrorCode::mismatch,
               {.problem = "the program's variable and the file's value differ in dtype or shape",
                .file = restoration.path(),
                .object = std::string{fit.info.path},
                .expected = describe(dtype, shape),
                .found = describe(fit.info.dtype, fit.info.shape),
                .advice = "nothing was changed; give the variable the dtype and shape of the file, say what to do in "
                          "RestoreOptions::on_mismatch, or restore another file"}};
}

Storage new_storage(Restoration& restoration, const Fit& fit, DType dtype) {
  const Reader& reader = restoration.reader();
  const TensorInfo& info = fit.info;
  const Binding binding = restoration.options().binding;
  if (fit.kind == Fit::Kind::cast) {
    const TensorView value = sound_value(restoration, fit);
    Storage storage = allocate(size_in_bytes(dtype, info.shape));
    std::vector<Copy> pieces;
    add_pieces(pieces, {storage.data, dtype, value.bytes(), info.dtype});
    copy_all(pieces, 0);
    return storage;
  }
  if (binding == Binding::view) return view_of(sound_value(restoration, fit));
  if (binding == Binding::copy_on_write && maps_privately(restoration, fit.file_node, info)) {
    static_cast<void>(sound_value(restoration, fit));  // also checks the sums, if that was asked for
    return private_part(reader, info);
  }
  Storage storage = allocate(static_cast<std::size_t>(info.size_bytes));
  reader.read_into(fit.tensor, storage.writable());
  static_cast<void>(sound(restoration, fit, TensorView{info.dtype, info.shape, storage.bytes(), nullptr}));
  return storage;
}

void add_pieces(std::vector<Copy>& copies, const Copy& whole) {
  for (std::size_t at = 0; at < whole.from.size(); at += kPiece) {
    Copy& piece = copies.emplace_back(whole);
    piece.to += size_at_destination(whole, at);
    piece.from = whole.from.subspan(at, std::min(kPiece, whole.from.size() - at));
  }
}

void copy_all(std::span<const Copy> copies, unsigned threads) noexcept {
  std::size_t bytes = 0;
  for (const Copy& copy : copies) bytes += copy.from.size();
  // Asking for the number of cores takes longer than a small copy.
  const std::size_t worthwhile = bytes / kPiece + 1;
  const std::size_t most = worthwhile == 1 ? 1 : std::min<std::size_t>(base::thread_count(threads), worthwhile);
  base::deal_out(copies.size(), static_cast<unsigned>(most), [&] { return [&](std::size_t i) { make(copies[i]); }; });
}

bool lies_in_mapping(const Restoration& restoration, const TensorInfo& info) {
  return info.compression == Compression::none && restoration.reader().file().mode == ReadMode::mmap;
}

bool goes_straight(const Restoration& restoration, const Fit& fit, const VariableNode& variable) {
  const RestoreOptions& options = restoration.options();
  const bool copies = options.binding == Binding::copy || variable.storage.kind == Storage::Kind::lent;
  return !options.check_first && copies && fit.kind == Fit::Kind::exact && fit.info.dtype != DType::boolean &&
         !has_variable_length(fit.info.dtype);
}

void read_straight(const StraightReads& reads) {
  constexpr const char* kAdvice =
      "variables hold a part of its values now: restore another checkpoint before you go on";
  const bool checked_before = !reads.copies.empty();
  try {
    reads.reader.read_into(reads.requests);
  } catch (const std::bad_alloc&) {
    if (checked_before) return copy_all(reads.copies, 1);
    throw Error{ErrorCode::limit,
                {.problem = "not enough memory to read the values", .file = reads.reader.path(), .advice = kAdvice}};
  } catch (const Error& error) {
    ErrorDetails details = error.details();
    if (checked_before && error.code() == ErrorCode::corrupt) {
      details.problem = "the file changed while it was restored: " + details.problem;
    }
    details.advice = kAdvice;
    throw Error{error.code(), std::move(details)};
  }
}

NewValue new_value(Restoration& restoration, const Fit& fit, const VariableNode& variable, TensorView value) {
  const Reader& reader = restoration.reader();
  const Binding binding = restoration.options().binding;
  const Storage& present = variable.storage;
  NewValue result;
  result.value = sound(restoration, fit, std::move(value));
  // The caller looks into lent memory, so the value has to go there.
  if (present.kind == Storage::Kind::lent) return result;
  if (fit.kind == Fit::Kind::cast) {
    if (present.kind == Storage::Kind::view) result.replacement = allocate(present.size);
  } else if (binding == Binding::view) {
    result.replacement = view_of(result.value);
    result.copies = false;
  } else if (binding == Binding::copy_on_write && maps_privately(restoration, fit.file_node, fit.info)) {
    result.replacement = private_part(reader, fit.info);
    result.copies = false;
  } else if (present.kind == Storage::Kind::view || present.size != result.value.bytes().size()) {
    result.replacement = allocate(result.value.bytes().size());
  }
  return result;
}

NewValue straight_value(const Fit& fit, const VariableNode& variable) {
  const auto size = static_cast<std::size_t>(fit.info.size_bytes);
  NewValue result;
  result.copies = false;
  const Storage& present = variable.storage;
  if (present.kind == Storage::Kind::view || present.size != size) result.replacement = allocate(size);
  return result;
}

std::span<std::byte> destination(const VariableNode& variable, const NewValue& value) {
  const Storage& storage = value.replacement.owner ? value.replacement : variable.storage;
  return {storage.data, storage.size};
}

Copy copy_for(const VariableNode& variable, const NewValue& value) {
  if (!value.copies) return {};
  return {destination(variable, value).data(), variable.dtype, value.value.bytes(), value.value.dtype()};
}

void assign(VariableNode& variable, NewValue&& value, std::uint64_t uid) noexcept {
  if (value.replacement.owner) variable.storage = std::move(value.replacement);
  variable.update_uid = uid;
}

}  // namespace ckpt::graph
