// Changes checkpoint files as an attacker would: numbers of header, footer and index, elements of the index's columns,
// data, and then every checksum made right again, so that a fuzzer gets past them.
#include "fuzz.hpp"

#include <support/file_image.hpp>

#include <algorithm>
#include <array>
#include <cstring>
#include <numeric>
#include <random>
#include <string_view>
#include <utility>

namespace {

using ckpt::test::Column;
using ckpt::test::FileImage;
namespace at = ckpt::test::at;

/// A column of the index, and the sizes of the numbers of one element, a digit each (docs/format.md, sections 6 to 9).
struct Layout {
  Column column;
  std::string_view fields;

  std::size_t bytes() const { return offset(fields.size()); }
  std::size_t offset(std::size_t field) const {
    return std::accumulate(fields.begin(), fields.begin() + static_cast<std::ptrdiff_t>(field), std::size_t{0},
                           [](std::size_t sum, char digit) { return sum + static_cast<std::size_t>(digit - '0'); });
  }
  std::size_t size(std::size_t field) const { return static_cast<std::size_t>(fields[field] - '0'); }
};

constexpr std::array kLayouts{
    Layout{Column::tensors, "888444444442114"},
    Layout{Column::paths, "1"},
    Layout{Column::dims, "8"},
    Layout{Column::chunk_sums, "8"},
    Layout{Column::frame_sizes, "4"},
    Layout{Column::blocks, "4444"},
    Layout{Column::text, "1"},
    Layout{Column::metadata, "84444"},
    Layout{Column::nodes, "4444"},
    Layout{Column::edges, "4444"},
    Layout{Column::slots, "444444"},
    Layout{Column::path_table, "44"},
};

constexpr std::array<Column, 4> kScalars{Column::checksum, Column::chunk_size, Column::small_alignment,
                                         Column::large_alignment};

class Mutator {
 public:
  Mutator(std::span<const std::byte> file, unsigned seed) : image_{{file.begin(), file.end()}}, random_{seed} {}

  /// One change, and on most calls all sums.
  ckpt::Bytes mutated() {
    attempt([&] { change(); });
    if (below(16) != 0) repair();
    return std::move(image_.bytes());
  }

  /// Elements of another file in the place of some of this one.
  ckpt::Bytes crossed(const FileImage& other) {
    for (std::size_t times = below(4) + 1; times > 0; --times) {
      attempt([&] {
        const Layout& layout = kLayouts[below(kLayouts.size())];
        const std::size_t to = element(image_, layout);
        const std::size_t from = element(other, layout);
        for (std::size_t i = 0; i < layout.bytes(); ++i) image_.set(to + i, other.get<std::byte>(from + i));
      });
    }
    repair();
    return std::move(image_.bytes());
  }

 private:
  // What is nonsense cannot be changed or sealed; the rest can.
  template <typename Action>
  static void attempt(const Action& action) {
    try {
      action();
    } catch (const std::out_of_range&) {
    }
  }

  std::size_t below(std::size_t most) { return most == 0 ? 0 : random_() % most; }
  std::uint64_t random64() { return (std::uint64_t{random_()} << 33U) ^ (std::uint64_t{random_()} << 11U) ^ random_(); }

  void change() {
    switch (below(16)) {
      case 0:
        return change_number(below(64), 8);  // of the header
      case 1:
        return change_number(image_.footer() + below(8) * 8, 8);  // of the footer
      case 2:
        return change_number(image_.field(kScalars[below(kScalars.size())]), 4);
      case 3:
        return change_count();
      case 4:
        return change_number(image_.field(kLayouts[below(kLayouts.size())].column), 4);
      case 5:
        return change_number(image_.vtable_of(image_.root()) + below(21) * 2, 2);
      case 6:
        return change_number(at::kUuid, 1);
      case 7:
        return change_bytes(64, image_.index_offset() - std::min<std::size_t>(64, image_.index_offset()));
      case 8:
        return change_bytes(image_.element(Column::text, 0, 1), image_.count(Column::text));
      case 9:
        return change_bytes(image_.element(Column::paths, 0, 1), image_.count(Column::paths));
      case 10:
        return move_index();
      case 11:
        return swap_elements();
      default:
        return change_field();
    }
  }

  std::size_t element(const FileImage& image, const Layout& layout) {
    return image.element(layout.column, below(image.count(layout.column)), layout.bytes());
  }

  void change_field() {
    const Layout& layout = below(2) == 0 ? kLayouts[0] : kLayouts[below(kLayouts.size())];
    const std::size_t field = below(layout.fields.size());
    change_number(element(image_, layout) + layout.offset(field), layout.size(field));
  }

  void change_count() {
    const Column column = kLayouts[below(kLayouts.size())].column;
    const auto count = static_cast<std::uint32_t>(another(image_.count(column)));
    if (below(2) == 0) return image_.set_count(column, count);
    image_.set(below(2) == 0 ? image_.count_in_root(column) : image_.vector(column), count);
  }

  void swap_elements() {
    const Layout& layout = kLayouts[below(kLayouts.size())];
    const std::size_t a = element(image_, layout);
    const std::size_t b = element(image_, layout);
    for (std::size_t i = 0; i < layout.bytes(); ++i) {
      const auto byte = image_.get<std::byte>(a + i);
      image_.set(a + i, image_.get<std::byte>(b + i));
      image_.set(b + i, byte);
    }
  }

  void change_number(std::size_t offset, std::size_t size) {
    std::uint64_t number = 0;
    for (std::size_t i = 0; i < size; ++i) number |= std::uint64_t{image_.get<std::uint8_t>(offset + i)} << (8 * i);
    number = another(number);
    for (std::size_t i = 0; i < size; ++i) image_.set(offset + i, static_cast<std::uint8_t>(number >> (8 * i)));
  }

  std::uint64_t another(std::uint64_t number) {
    switch (below(9)) {
      case 0:
        return number + 1;
      case 1:
        return number - 1;
      case 2:
        return below(17);
      case 3:
        return ~std::uint64_t{0} >> below(64);
      case 4:
        return std::uint64_t{1} << below(64);
      case 5:
        return image_.size() - below(200);
      case 6:
        return number ^ (std::uint64_t{1} << below(64));
      case 7:
        return number * 2;
      default:
        return random64();
    }
  }

  // Some of so many bytes, by libFuzzer's own ways.
  void change_bytes(std::size_t offset, std::size_t size) {
    std::array<std::uint8_t, 64> part;
    const std::size_t first = below(size);
    const std::size_t count = std::min(part.size(), size - first);
    if (count == 0 || size > image_.size()) return;
    for (std::size_t i = 0; i < count; ++i) part[i] = image_.get<std::uint8_t>(offset + first + i);
    LLVMFuzzerMutate(part.data(), count, count);
    for (std::size_t i = 0; i < count; ++i) image_.set(offset + first + i, part[i]);
  }

  // More or less room before the index.
  void move_index() {
    const std::size_t offset = image_.index_offset();
    const std::size_t distance = 64 * (below(4) + 1);
    if (offset > image_.size()) return;
    const auto place = image_.bytes().begin() + static_cast<std::ptrdiff_t>(offset);
    const bool more = offset < distance + 64 || below(2) == 0;
    if (more) {
      image_.bytes().insert(place, distance, std::byte{0});
    } else {
      image_.bytes().erase(place - static_cast<std::ptrdiff_t>(distance), place);
    }
    image_.set<std::uint64_t>(image_.footer() + at::kIndexOffset, more ? offset + distance : offset - distance);
  }

  void repair() {
    image_.set<std::uint64_t>(0, 0x0a1a0a0d504b4389);  // the magic numbers: no time is lost on them
    image_.set<std::uint64_t>(image_.footer() + at::kFooterMagic, 0x0a444e4554504b43);
    image_.set<std::uint64_t>(image_.footer() + at::kFileSize, image_.size());
    for (std::size_t i = 0; i < 16; i += 8) {
      image_.set(image_.footer() + at::kFooterUuid + i, image_.get<std::uint64_t>(at::kUuid + i));
    }
    // Sums overwrite bytes that hostile offsets point them to: those of header and footer are computed last.
    attempt([&] { image_.seal_data(); });
    attempt([&] { image_.seal_index(); });
    image_.seal_footer();
    image_.seal_header();
  }

  FileImage image_;
  std::minstd_rand random_;
};

constexpr std::size_t kSmallest = 144;

std::size_t store(const ckpt::Bytes& file, std::uint8_t* out, std::size_t most) {
  const std::size_t size = std::min(file.size(), most);
  if (size != 0) std::memcpy(out, file.data(), size);
  return size;
}

}  // namespace

std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t most, unsigned seed) {
  if (size < kSmallest || seed % 64 == 0) return LLVMFuzzerMutate(data, size, most);
  return store(Mutator{std::as_bytes(std::span{data, size}), seed}.mutated(), data, most);
}

std::size_t LLVMFuzzerCustomCrossOver(const std::uint8_t* a, std::size_t a_size, const std::uint8_t* b,
                                      std::size_t b_size, std::uint8_t* out, std::size_t most, unsigned seed) {
  const auto first = std::as_bytes(std::span{a, a_size});
  const auto second = std::as_bytes(std::span{b, b_size});
  if (a_size < kSmallest || b_size < kSmallest) return store({first.begin(), first.end()}, out, most);
  return store(Mutator{first, seed}.crossed(FileImage{{second.begin(), second.end()}}), out, most);
}
