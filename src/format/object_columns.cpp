#include "format/object_columns.hpp"

#include <bit>
#include <variant>

namespace ckpt::format {
namespace {

struct MetadataParts {
  std::uint32_t type;
  std::uint64_t number;
  std::string_view text;
};

MetadataParts parts_of(const MetadataValue& value) {
  const auto view = [](const Bytes& bytes) {
    return std::string_view{reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  };
  if (const auto* text = std::get_if<std::string>(&value)) return {0, 0, *text};
  if (const auto* integer = std::get_if<std::int64_t>(&value)) return {1, std::bit_cast<std::uint64_t>(*integer), {}};
  if (const auto* real = std::get_if<double>(&value)) return {2, std::bit_cast<std::uint64_t>(*real), {}};
  if (const auto* bytes = std::get_if<Bytes>(&value)) return {3, 0, view(*bytes)};
  return {4, 0, std::get<Json>(value).text};
}

}  // namespace

std::pair<std::uint32_t, std::uint32_t> ObjectColumns::add_text(std::string_view added) {
  const auto offset = static_cast<std::uint32_t>(text.size());
  text += added;
  return {offset, static_cast<std::uint32_t>(added.size())};
}

void ObjectColumns::add_blocks(const std::vector<BlockType>& types) {
  for (const BlockType& type : types) {
    const auto [offset, size] = add_text(type.name);
    blocks.emplace_back(offset, size, type.bytes, type.elements);
  }
}

void ObjectColumns::add_metadata(const Metadata& values) {
  for (const auto& [key, value] : values) {
    const auto [key_offset, key_size] = add_text(key);
    const MetadataParts parts = parts_of(value);
    const auto [offset, size] = add_text(parts.text);
    const bool is_number = parts.type == 1 || parts.type == 2;
    metadata.emplace_back(is_number ? parts.number : offset, key_offset, key_size, size, parts.type);
  }
}

void ObjectColumns::add_node(const ObjectGraph::Node& node, std::uint32_t tensor) {
  nodes.emplace_back(static_cast<std::uint32_t>(edges.size()), static_cast<std::uint32_t>(node.edges.size()), tensor,
                     0);
  for (const ObjectGraph::Edge& edge : node.edges) {
    const auto [offset, size] = add_text(edge.name);
    edges.emplace_back(offset, size, edge.node, 0);
  }
}

void ObjectColumns::add_slots(const std::vector<ObjectGraph::Slot>& values) {
  for (const ObjectGraph::Slot& slot : values) {
    const auto [offset, size] = add_text(slot.name);
    slots.emplace_back(slot.owner, slot.variable, slot.node, offset, size, 0);
  }
}

std::uint64_t ObjectColumns::size() const noexcept {
  return blocks.size() * sizeof(fb::Block) + metadata.size() * sizeof(fb::Metadata) + nodes.size() * sizeof(fb::Node) +
         edges.size() * sizeof(fb::Edge) + slots.size() * sizeof(fb::Slot) + text.size();
}

}  // namespace ckpt::format
