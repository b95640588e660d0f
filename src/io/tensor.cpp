#include "base/checked.hpp"
#include "format/little_endian.hpp"

#include <ckpt/error.hpp>
#include <ckpt/tensor.hpp>

#include <algorithm>

namespace ckpt {
namespace {

constexpr std::size_t kOffsetBytes = sizeof(std::uint64_t);

[[noreturn]] void bad_offsets() {
  throw Error{ErrorCode::corrupt,
              {.problem = "the offsets of a tensor of strings are not in order or leave the tensor",
               .advice = "the file was made by a faulty writer: its bytes can be had from TensorView::bytes"}};
}

}  // namespace

void TensorView::require(DType wanted) const {
  if (dtype_ == wanted) {
    // To C++ a bool of another value is undefined behaviour.
    const auto is_bool = [](std::byte byte) { return byte <= std::byte{1}; };
    if (wanted != DType::boolean || std::ranges::all_of(bytes_, is_bool)) return;
    throw Error{ErrorCode::corrupt, {.problem = "a tensor of dtype bool has a byte that is neither 0 nor 1"}};
  }
  throw Error{ErrorCode::mismatch,
              {.problem = "the tensor has another dtype",
               .expected = std::string{to_string(wanted)},
               .found = std::string{to_string(dtype_)},
               .advice = "ask for the dtype that it has"}};
}

std::vector<std::string> TensorView::strings() const {
  if (dtype_ != DType::bytes) require(DType::string);
  const auto count = static_cast<std::uint64_t>(shape_.elements());
  const auto table = (base::Checked{count} + 1) * kOffsetBytes;
  if (!table.fits(bytes_.size())) bad_offsets();
  const auto text = bytes_.subspan(static_cast<std::size_t>(table.value()));
  std::vector<std::string> result;
  result.reserve(static_cast<std::size_t>(count));
  auto begin = format::load<std::uint64_t>(bytes_, 0);
  if (begin != 0) bad_offsets();
  for (std::size_t i = 1; i <= count; ++i) {
    const auto end = format::load<std::uint64_t>(bytes_, i * kOffsetBytes);
    if (end < begin || end > text.size()) bad_offsets();
    // No wrap: the end is not before the beginning.
    const auto element = text.subspan(static_cast<std::size_t>(begin), static_cast<std::size_t>(end - begin));
    result.emplace_back(reinterpret_cast<const char*>(element.data()), element.size());
    begin = end;
  }
  if (begin != text.size()) bad_offsets();
  return result;
}

Bytes encode_strings(std::span<const std::string> elements) {
  std::uint64_t total = 0;
  for (const std::string& element : elements) total += element.size();
  const std::size_t table = (elements.size() + 1) * kOffsetBytes;
  Bytes bytes(table + static_cast<std::size_t>(total));
  std::uint64_t end = 0;
  for (std::size_t i = 0; i < elements.size(); ++i) {
    std::ranges::copy(std::as_bytes(std::span{elements[i]}), bytes.begin() + static_cast<std::ptrdiff_t>(table + end));
    end += elements[i].size();
    format::store(std::span{bytes}, (i + 1) * kOffsetBytes, end);
  }
  return bytes;
}

}  // namespace ckpt
