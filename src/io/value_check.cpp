#include "io/value_check.hpp"

#include "base/checked.hpp"
#include "base/text.hpp"
#include "format/little_endian.hpp"

#include <ckpt/error.hpp>

#include <algorithm>
#include <utility>

namespace ckpt::io {
namespace {

constexpr std::size_t kOffsetBytes = sizeof(std::uint64_t);

}  // namespace

ValueCheck::ValueCheck(std::string_view path, DType dtype, const Shape& shape, std::uint64_t data_size)
    : path_{path}, dtype_{dtype} {
  if (dtype_ != DType::string && dtype_ != DType::bytes) return;
  const auto elements = static_cast<std::uint64_t>(shape.elements());
  const auto table = (base::Checked{elements} + 1) * kOffsetBytes;
  if (!table.fits(data_size) || (elements == 0 && table.value() != data_size)) {
    refuse("the data cannot be " + std::to_string(elements) + " elements of dtype " + std::string{to_string(dtype)},
           std::to_string(elements + 1) + " offsets of 8 bytes" + (elements == 0 ? "" : ", then the elements"),
           std::to_string(data_size) + " bytes");
  }
  offset_count_ = elements + 1;
  text_size_ = data_size - table.value();
}

void ValueCheck::append(std::span<const std::byte> data) {
  if (dtype_ == DType::boolean) take_bools(data);
  if (dtype_ != DType::string && dtype_ != DType::bytes) return;
  const auto rest = data.subspan(take_offsets(data));
  if (dtype_ == DType::string) take_text({reinterpret_cast<const char*>(rest.data()), rest.size()});
}

void ValueCheck::take_bools(std::span<const std::byte> data) {
  const auto bad = std::ranges::find_if(data, [](std::byte byte) { return byte > std::byte{1}; });
  if (bad != data.end()) {
    const std::uint64_t element = received_ + static_cast<std::uint64_t>(bad - data.begin());
    refuse("element " + std::to_string(element) + " is no bool", "0 or 1", std::to_string(std::to_integer<int>(*bad)));
  }
  received_ += data.size();
}

// How many bytes of `data` were offsets.
std::size_t ValueCheck::take_offsets(std::span<const std::byte> data) {
  std::size_t used = 0;
  while (offsets_seen_ != offset_count_ && used != data.size()) {
    const auto part = data.subspan(used, std::min(data.size() - used, kOffsetBytes - in_word_));
    std::ranges::copy(part, word_.begin() + static_cast<std::ptrdiff_t>(in_word_));
    used += part.size();
    in_word_ += part.size();
    if (in_word_ == kOffsetBytes) {
      in_word_ = 0;
      take_offset(format::load<std::uint64_t>(word_, 0));
    }
  }
  return used;
}

void ValueCheck::take_offset(std::uint64_t offset) {
  const bool is_last = offsets_seen_ + 1 == offset_count_;
  const std::uint64_t lowest = is_last ? text_size_ : last_offset_;
  const std::uint64_t highest = offsets_seen_ == 0 ? 0 : text_size_;
  if (offset < lowest || offset > highest) {
    refuse("the offsets of the elements are wrong: number " + std::to_string(offsets_seen_),
           std::to_string(lowest) + (lowest == highest ? "" : " to " + std::to_string(highest)),
           std::to_string(offset));
  }
  if (dtype_ == DType::string && offsets_seen_ != 0) ends_.push_back(offset);
  last_offset_ = offset;
  ++offsets_seen_;
}

void ValueCheck::take_text(std::string_view text) {
  while (!text.empty()) {
    while (ends_[element_] == received_) ++element_;
    const auto left = static_cast<std::size_t>(ends_[element_] - received_);
    const std::string_view part = text.substr(0, left);
    take_utf8(part);
    text.remove_prefix(part.size());
    received_ += part.size();
    if (part.size() == left && !character_.empty()) refuse_text();
  }
}

void ValueCheck::take_utf8(std::string_view part) {
  for (; !character_.empty() && !part.empty(); part.remove_prefix(1)) take_character(part.front());
  const std::size_t whole = base::size_of_whole_characters(part);
  if (!base::is_utf8(part.substr(0, whole))) refuse_text();
  for (const char byte : part.substr(whole)) take_character(byte);
}

void ValueCheck::take_character(char byte) {
  character_ += byte;
  if (base::is_utf8(character_)) {
    character_.clear();
  } else if (character_.size() == base::kMostCharacterBytes) {
    refuse_text();
  }
}

void ValueCheck::refuse_text() const {
  throw Error{ErrorCode::invalid_argument,
              {.problem = "element " + std::to_string(element_) + " is not UTF-8",
               .object = std::string{path_},
               .advice = "store it with dtype bytes"}};
}

void ValueCheck::refuse(std::string problem, std::string expected, std::string found) const {
  throw Error{ErrorCode::invalid_argument,
              {.problem = std::move(problem),
               .object = std::string{path_},
               .expected = std::move(expected),
               .found = std::move(found),
               .advice = dtype_ == DType::boolean ? "store it with dtype u8" : "encode_strings() makes such data"}};
}

}  // namespace ckpt::io
