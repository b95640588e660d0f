#include "graph/change_check.hpp"

#include "base/parallel.hpp"
#include "codec/xxh3.hpp"
#include "graph/walk.hpp"

#include <ckpt/error.hpp>

#include <string>

namespace ckpt::graph {

std::vector<std::uint64_t> sums_of(std::span<const Snapshot::Tensor> tensors, unsigned threads) {
  std::vector<std::uint64_t> sums(tensors.size());
  base::deal_out(tensors.size(), threads,
                 [&] { return [&](std::size_t i) { sums[i] = codec::xxh3(tensors[i].bytes); }; });
  return sums;
}

void require_same(std::span<const Snapshot::Tensor> tensors, std::span<const std::uint64_t> before,
                  std::span<const std::uint64_t> after, const char* until) {
  std::vector<std::string> changed;
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    if (before[i] != after[i]) changed.emplace_back(tensors[i].path);
  }
  if (changed.empty()) return;
  throw Error{ErrorCode::invalid_argument,
              {.problem = std::string{"a variable was changed before "} + until +
                          ": the checkpoint would hold values of different moments, and was not written",
               .object = changed.front(),
               .found = std::to_string(changed.size()) + " changed: " + list_paths(changed),
               .advice = "call staged() of the save before variables are written to, and let no other thread do that"}};
}

}  // namespace ckpt::graph
