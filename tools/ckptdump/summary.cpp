#include "summary.hpp"

#include "describe.hpp"

namespace ckptdump {
namespace {

// docs/format.md: before the first blob there is the header alone.
constexpr std::uint64_t kHeaderBytes = 64;

void add_to(Group& group, const ckpt::TensorInfo& tensor) {
  ++group.tensors;
  if (tensor.alias_of) return;
  group.bytes += tensor.size_bytes;
  group.stored_bytes += tensor.stored_bytes;
}

Group& group_of_dtype(Summary& summary, const std::string& name) {
  const auto known = summary.by_dtype.find(name);
  if (known != summary.by_dtype.end()) return known->second;
  return summary.by_dtype.size() < kMostDtypes ? summary.by_dtype[name] : summary.other_dtypes;
}

std::uint64_t all_stored_bytes(const ckpt::Reader& reader) {
  std::uint64_t stored = 0;
  for (std::size_t i = 0; i < reader.size(); ++i) {
    const ckpt::TensorInfo tensor = reader.info(i);
    if (!tensor.alias_of) stored += tensor.stored_bytes;
  }
  return stored;
}

}  // namespace

Summary summarise(Context& context, const ckpt::Reader& reader) {
  Summary summary;
  summary.selected = for_each_selected(context, reader, [&](std::size_t, const ckpt::TensorInfo& tensor) {
    summary.parameters += parameters_of(tensor);
    summary.bytes += own_bytes_of(tensor);
    if (tensor.alias_of) {
      ++summary.aliases;
    } else {
      summary.stored_bytes += tensor.stored_bytes;
    }
    add_to(group_of_dtype(summary, dtype_name(tensor)), tensor);
    add_to(summary.by_codec[codec_name(tensor.compression)], tensor);
  });
  const std::uint64_t stored = context.filter.selects_all() ? summary.stored_bytes : all_stored_bytes(reader);
  const std::uint64_t used = kHeaderBytes + stored;
  const std::uint64_t index_offset = reader.file().index_offset;
  summary.padding = index_offset > used ? index_offset - used : 0;
  return summary;
}

}  // namespace ckptdump
