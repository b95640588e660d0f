// The columns of the index that are as long as the metadata, the object graph, and the list of block types.
#pragma once

#include <ckpt/metadata.hpp>
#include <ckpt/object_graph.hpp>
#include <ckpt/tensor.hpp>

#include <ckpt_generated.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ckpt::format {

/// Filled once by one writer, in any order; then they go into the index as they are.
struct ObjectColumns {
  std::vector<fb::Block> blocks;
  std::vector<fb::Metadata> metadata;
  std::vector<fb::Node> nodes;
  std::vector<fb::Edge> edges;
  std::vector<fb::Slot> slots;
  std::string text;  // of names and values; of no object path

  void add_blocks(const std::vector<BlockType>& types);
  void add_metadata(const Metadata& values);
  /// `tensor`: its place in the index, or kNone.
  void add_node(const ObjectGraph::Node& node, std::uint32_t tensor);
  void add_slots(const std::vector<ObjectGraph::Slot>& values);

  /// Bytes of all of them.
  std::uint64_t size() const noexcept;

 private:
  // Where in `text` it is: offset and size.
  std::pair<std::uint32_t, std::uint32_t> add_text(std::string_view added);
};

}  // namespace ckpt::format
