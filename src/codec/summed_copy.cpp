#include "codec/summed_copy.hpp"

#include "base/stream_copy.hpp"
#include "codec/xxh3.hpp"

#include <cstring>

namespace ckpt::codec {

std::uint64_t copy_with_sum(std::span<std::byte> to, std::span<const std::byte> from, std::uint64_t seed) {
  using base::kStreamBlock;
  const std::size_t odd = reinterpret_cast<std::uintptr_t>(to.data()) % base::kStreamAlignment;
  const std::size_t head = odd == 0 ? 0 : base::kStreamAlignment - odd;
  if (to.size() < head + 2 * kStreamBlock) {
    if (!to.empty()) std::memcpy(to.data(), from.data(), to.size());
    return xxh3(to, seed);
  }
  Xxh3Stream sum;
  sum.reset(seed);
  std::memcpy(to.data(), from.data(), head);
  sum.update(to.first(head));
  alignas(base::kStreamAlignment) std::byte kept[kStreamBlock];
  std::size_t done = head;
  for (; to.size() - done >= kStreamBlock; done += kStreamBlock) {
    const bool more = to.size() - done >= 2 * kStreamBlock;
    base::stream_copy_and_keep(to.data() + done, kept, from.data() + done, more);
    sum.update(kept);
  }
  base::finish_streams();
  std::memcpy(to.data() + done, from.data() + done, to.size() - done);
  sum.update(to.subspan(done));
  return sum.digest();
}

}  // namespace ckpt::codec
