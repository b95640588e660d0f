#include "codec/chunk.hpp"

#include "codec/repeats.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

namespace ckpt::codec {
namespace {

constexpr std::size_t kHeaderBytes = 4;
constexpr std::size_t kEntryBytes = sizeof(std::uint32_t);

std::size_t table_end(PlaneLayout layout) noexcept { return kHeaderBytes + layout.width * kEntryBytes; }

bool is_coded(PlaneCoding coding) noexcept { return coding != PlaneCoding::stored; }

void grow(std::vector<std::byte>& memory, std::size_t size) {
  if (memory.size() < size) memory.resize(size);
}

// Whether all floating-point numbers are positive, or all negative, as second moments and variances are.
bool has_one_sign(std::span<const std::byte> sample, std::size_t width) noexcept {
  for (std::size_t i = width - 1; i < sample.size(); i += width) {
    if (((sample[i] ^ sample[width - 1]) & std::byte{0x80}) != std::byte{0}) return false;
  }
  return true;
}

// Whether the last of the eight bits behind the sign, which rotation leaves beside those before it, takes more than
// half a bit there. If it does, numbers of one sign are better not rotated: the sign costs nothing beside the exponent,
// and mantissas stay as they are. Else the lowest byte of each has a sign in it, which lets it shrink by an eighth, and
// takes the coder as long as all exponents do.
bool has_noise_below_exponents(std::span<const std::byte> sample, std::size_t width) noexcept {
  constexpr std::size_t kStep = 4;  // of the elements; some thousand will do
  if (width == 1) return false;
  std::array<std::array<std::uint32_t, 2>, 128> counts{};  // by the seven bits before, and by the last one
  std::size_t total = 0;
  for (std::size_t i = width; i <= sample.size(); i += kStep * width) {
    const auto seven = std::to_integer<std::size_t>(sample[i - 1] & std::byte{0x7f});
    ++counts[seven][std::to_integer<std::size_t>(sample[i - 2] >> 7)];
    ++total;
  }
  const auto weighed = [](std::uint32_t count) { return count == 0 ? 0.0 : count * std::log2(count); };
  double bits = 0;
  for (const auto& [zeros, ones] : counts) bits += weighed(zeros + ones) - weighed(zeros) - weighed(ones);
  return 2 * bits > static_cast<double>(total);
}

// Repetitions in a plane that Huffman codes bring to `coded` bytes.
struct Repeats {
  bool pay = false;   // a search, which takes several times as long as this look, may gain a 16th of the plane
  bool none = false;  // or too few for noise, where they gain most
};

// To name a repetition takes some 24 bits, so it gains nothing until it is as long as Huffman codes for as many bits,
// and from there on the code of a byte for each byte, and so for each place where as long a one begins. Half as many
// places will do here, since a repetition that is as far away as the one before takes fewer bits.
Repeats look_for_repeats(std::span<const std::byte> plane, std::size_t coded) noexcept {
  constexpr std::size_t kBytesToName = 3;
  const std::size_t size = plane.size();
  const std::size_t wanted = size * (size / 32) / coded;
  const std::size_t found = count_repeats(plane, std::clamp<std::size_t>(kBytesToName * size / coded, 4, 16), wanted);
  return {.pay = found > wanted, .none = found < size / 32};
}

// The planes of a stored chunk as its header and table place them.
struct Parts {
  const char* problem = nullptr;
  PlaneLayout layout{};
  std::size_t plane_size = 0;  // after decompression
  std::array<std::span<const std::byte>, kMostPlanes> planes{};
};

Parts parts_of(std::span<const std::byte> stored, std::size_t content_size) {
  std::array<std::uint8_t, kHeaderBytes> header{};
  if (stored.size() < kHeaderBytes) return {.problem = "the chunk is shorter than its header"};
  std::memcpy(header.data(), stored.data(), kHeaderBytes);
  const auto [width, rotated, zero, also_zero] = header;
  const bool known = width <= kMostPlanes && std::has_single_bit(width) && rotated <= 1 && zero == 0 && also_zero == 0;
  if (!known) return {.problem = "the chunk has an unknown layout of planes"};
  Parts parts{.layout = {.width = width, .rotated = rotated == 1}, .plane_size = content_size / width};
  if (content_size % width != 0) return {.problem = "the chunk ends within an element"};
  if (stored.size() < table_end(parts.layout)) return {.problem = "the chunk is shorter than its table of planes"};
  auto rest = stored.subspan(table_end(parts.layout));
  for (std::size_t i = 0; i < parts.layout.width; ++i) {
    std::uint32_t size = 0;
    std::memcpy(&size, stored.data() + kHeaderBytes + i * kEntryBytes, kEntryBytes);
    if (size == 0 || size > parts.plane_size) return {.problem = "a plane has an impossible size"};
    if (size > rest.size()) return {.problem = "the planes are longer than their chunk"};
    parts.planes[i] = rest.first(size);
    rest = rest.subspan(size);
  }
  if (!rest.empty()) return {.problem = "bytes follow the planes"};
  return parts;
}

}  // namespace

// The first `in_place` planes to where they are stored, behind the table.
void ChunkEncoder::split(std::span<const std::byte> data, PlaneLayout layout, std::size_t in_place) {
  grow(planes_, data.size());
  PlanePlaces places{};
  for (std::size_t i = 0; i < layout.width; ++i) {
    std::byte* const first = i < in_place ? stored_.data() + table_end(layout) : planes_.data();
    places[i] = first + i * (data.size() / layout.width);
  }
  split_planes(data, layout, places);
}

// 0 when it does not fit.
std::size_t ChunkEncoder::compress(std::span<const std::byte> plane, PlaneCoding coding,
                                   std::span<std::byte> destination) {
  return (coding == PlaneCoding::entropy ? entropy_ : matches_).compress(plane, destination);
}

ChunkEncoder::Choice ChunkEncoder::choose(std::span<const std::byte> sample, PlaneLayout layout) {
  if (layout.rotated && has_one_sign(sample, layout.width) && has_noise_below_exponents(sample, layout.width)) {
    layout.rotated = false;
  }
  split(sample, layout, 0);
  const std::size_t size = sample.size() / layout.width;
  grow(stored_, size);
  Choice choice{.coding = {.layout = layout}, .size = table_end(layout)};
  bool none_repeat = false;
  for (std::size_t i = layout.width; i-- > 0;) {
    std::size_t best = size;
    const auto attempt = [&](PlaneCoding coding, std::size_t least_gain) {
      const auto room = std::span{stored_}.first(best - least_gain);
      if (const std::size_t found = compress(plane(i, size), coding, room); found != 0) {
        best = found;
        choice.coding.planes[i] = coding;
      }
    };
    attempt(PlaneCoding::entropy, size / 32);
    // Elements repeat as a whole: below a plane in which none does, noise needs no look.
    const bool is_noise = best == size;
    if (best > size / 16 && !(is_noise && none_repeat)) {
      const Repeats repeats = look_for_repeats(plane(i, size), best);
      if (repeats.pay) attempt(PlaneCoding::matches, size / 16);
      none_repeat = repeats.none;
    }
    choice.size += best;
  }
  return choice;
}

std::span<const std::byte> ChunkEncoder::encode(std::span<const std::byte> chunk, const ChunkCoding& coding) {
  const PlaneLayout layout = coding.layout;
  const std::size_t size = chunk.size() / layout.width;
  std::size_t end = table_end(layout);
  grow(stored_, end + chunk.size());
  // The place of those behind a coded one is not known yet.
  const auto used = std::span{coding.planes}.first(layout.width);
  const auto in_place = static_cast<std::size_t>(std::ranges::find_if(used, is_coded) - used.begin());
  split(chunk, layout, in_place);
  const std::array<std::uint8_t, kHeaderBytes> header{static_cast<std::uint8_t>(layout.width),
                                                      static_cast<std::uint8_t>(layout.rotated ? 1 : 0)};
  std::memcpy(stored_.data(), header.data(), kHeaderBytes);
  for (std::size_t i = 0; i < layout.width; ++i) {
    const auto from = plane(i, size);
    const auto room = std::span{stored_}.subspan(end, size);
    std::size_t taken = is_coded(used[i]) ? compress(from, used[i], room.first(size - 1)) : 0;  // or it is stored
    if (taken == 0) {
      if (i >= in_place) std::ranges::copy(from, room.begin());
      taken = size;
    }
    const auto entry = static_cast<std::uint32_t>(taken);
    std::memcpy(stored_.data() + kHeaderBytes + i * kEntryBytes, &entry, kEntryBytes);
    end += taken;
  }
  return std::span{stored_}.first(end);
}

const char* ChunkDecoder::decode(std::span<const std::byte> stored, std::span<std::byte> destination,
                                 std::size_t largest_window) {
  const Parts parts = parts_of(stored, destination.size());
  if (parts.problem != nullptr) return parts.problem;
  grow(planes_, destination.size());
  Planes planes{};
  for (std::size_t i = 0; i < parts.layout.width; ++i) {
    planes[i] = parts.planes[i].data();
    if (parts.planes[i].size() == parts.plane_size) continue;
    const auto plane = std::span{planes_}.subspan(i * parts.plane_size, parts.plane_size);
    if (const char* problem = zstd_decompress(parts.planes[i], plane, largest_window)) return problem;
    planes[i] = plane.data();
  }
  join_planes(planes, parts.layout, destination);
  return nullptr;
}

const char* chunk_problem(std::span<const std::byte> stored, std::size_t content_size, std::size_t largest_window) {
  const Parts parts = parts_of(stored, content_size);
  if (parts.problem != nullptr) return parts.problem;
  for (std::size_t i = 0; i < parts.layout.width; ++i) {
    if (parts.planes[i].size() == parts.plane_size) continue;
    if (const char* problem = zstd_frame_problem(parts.planes[i], parts.plane_size, largest_window)) return problem;
  }
  return nullptr;
}

}  // namespace ckpt::codec
