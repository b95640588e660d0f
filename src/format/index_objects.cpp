// The parts of the index that are read whole: metadata and the object graph.
#include "base/checked.hpp"
#include "base/path.hpp"
#include "base/text.hpp"
#include "format/index_columns.hpp"
#include "format/index_view.hpp"

#include <ckpt/error.hpp>
#include <ckpt/limits.hpp>

#include <bit>
#include <set>
#include <string>
#include <tuple>
#include <vector>

namespace ckpt::format {
namespace {

enum class MetadataType : std::uint32_t { string = 0, integer = 1, real = 2, bytes = 3, json = 4 };

MetadataValue value_of(MetadataType type, std::uint64_t number, std::string_view text) {
  switch (type) {
    case MetadataType::integer:
      return std::bit_cast<std::int64_t>(number);
    case MetadataType::real:
      return std::bit_cast<double>(number);
    case MetadataType::json:
      return Json{std::string{text}};
    case MetadataType::bytes: {
      const auto bytes = std::as_bytes(std::span{text});
      return Bytes{bytes.begin(), bytes.end()};
    }
    case MetadataType::string:
      break;
  }
  return std::string{text};
}

std::string at_most(std::uint64_t bytes) { return "at most " + std::to_string(bytes) + " bytes"; }

std::string behind(std::string_view name) { return "one behind " + base::escape(name); }

}  // namespace

Metadata IndexView::metadata() const {
  require_all(metadata_);
  Metadata result;
  std::uint64_t total = 0;
  for (const fb::Metadata& raw : metadata_) {
    total = (base::Checked{total} + raw.key_size() + raw.value_size()).value();
    if (total > kMaxMetadataBytes) {
      throw Error{ErrorCode::limit,
                  {.problem = "the metadata is too long",
                   .offset = offset_of(&raw),
                   .expected = "at most " + std::to_string(kMaxMetadataBytes) + " bytes (kMaxMetadataBytes)",
                   .found = std::to_string(total),
                   .advice = "the file is damaged or was made by a faulty writer: use another checkpoint"}};
    }
    const std::string_view key = bytes_at(text_, raw.key_offset(), raw.key_size(), &raw);
    if (const char* reason = base::why_not_a_key(key)) {
      corrupt(std::string{"this is no metadata key: "} + reason, &raw, key);
    }
    if (!result.empty() && key <= result.rbegin()->first) {
      corrupt("metadata keys are not in order", &raw, key, behind(result.rbegin()->first), base::escape(key));
    }
    if (raw.type() > static_cast<std::uint32_t>(MetadataType::json)) {
      corrupt("unknown type of metadata", &raw, key, "0 to 4", std::to_string(raw.type()));
    }
    const auto type = static_cast<MetadataType>(raw.type());
    const bool is_number = type == MetadataType::integer || type == MetadataType::real;
    if (is_number && raw.value_size() != 0) {
      corrupt("a number with text", &raw, key, "0 bytes", std::to_string(raw.value_size()));
    }
    const std::string_view text = is_number ? std::string_view{} : bytes_at(text_, raw.value(), raw.value_size(), &raw);
    if (type != MetadataType::bytes && !base::is_utf8(text)) corrupt("metadata text is not UTF-8", &raw, key);
    result.emplace_hint(result.end(), key, value_of(type, raw.value(), text));
  }
  if (total > text_.size()) {
    corrupt("metadata entries share text", metadata_.data(), {}, at_most(text_.size()), std::to_string(total));
  }
  return result;
}

std::string_view IndexView::name_of(std::uint32_t offset, std::uint32_t size, const void* member) const {
  if (size > kMaxPathBytes) {
    corrupt("a name is too long", member, {}, "at most 4096 bytes (kMaxPathBytes)", std::to_string(size));
  }
  const std::string_view name = bytes_at(text_, offset, size, member);
  if (const char* reason = base::why_not_a_name(name)) {
    corrupt(std::string{"this is no name of an object: "} + reason, member, name);
  }
  return name;
}

ObjectGraph IndexView::graph() const {
  pages_.stop_reading();
  require_all(nodes_);
  require_all(edges_);
  ObjectGraph result;
  result.nodes.resize(nodes_.size());
  std::vector<bool> used(tensors_.size());
  std::uint64_t next_edge = 0;
  std::uint64_t total_text = 0;
  std::uint64_t total_paths = 0;
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    const fb::Node& raw = nodes_[i];
    require_zero(raw.reserved(), &raw);
    if (raw.first_edge() != next_edge || !base::in_range(next_edge, raw.edge_count(), edges_.size())) {
      corrupt("the edges of a node do not follow those of the one before", &raw, {},
              "from " + std::to_string(next_edge) + " on, within " + std::to_string(edges_.size()),
              std::to_string(raw.edge_count()) + " from " + std::to_string(raw.first_edge()) + " on");
    }
    next_edge += raw.edge_count();  // No wrap: it stays within the edges
    ObjectGraph::Node& node = result.nodes[i];
    if (raw.tensor() != kNone) {
      if (raw.tensor() >= tensors_.size()) {
        corrupt("a node with no such tensor", &raw, {}, less_than(tensors_.size()), std::to_string(raw.tensor()));
      }
      if (used[raw.tensor()]) corrupt("two nodes with one tensor", &raw, path(raw.tensor()));
      used[raw.tensor()] = true;
      node.tensor = std::string{path(raw.tensor())};
      total_paths += node.tensor->size();
      if (total_paths > paths_.size()) {
        corrupt("paths share bytes", &raw, {}, at_most(paths_.size()), std::to_string(total_paths));
      }
    }
    for (const fb::Edge& edge : edges_.subspan(raw.first_edge(), raw.edge_count())) {
      const std::string_view name = name_of(edge.name_offset(), edge.name_size(), &edge);
      total_text += name.size();  // No wrap: stopped where it exceeds the text
      require_own_text(total_text, &edge);
      if (edge.node() >= nodes_.size()) {
        corrupt("an edge to no node", &edge, name, less_than(nodes_.size()), std::to_string(edge.node()));
      }
      require_zero(edge.reserved(), &edge, name);
      if (!node.edges.empty() && name <= node.edges.back().name) {
        corrupt("edges are not in order", &edge, name, behind(node.edges.back().name), base::escape(name));
      }
      node.edges.push_back({std::string{name}, edge.node()});
    }
  }
  if (next_edge != edges_.size()) {
    corrupt("edges of no node", edges_.data(), {}, std::to_string(next_edge), std::to_string(edges_.size()));
  }
  add_slots(result, total_text);
  return result;
}

void IndexView::require_own_text(std::uint64_t total, const void* member) const {
  if (total <= text_.size()) return;
  corrupt("names share text", member, {}, at_most(text_.size()), std::to_string(total));
}

void IndexView::add_slots(ObjectGraph& graph, std::uint64_t total_text) const {
  require_all(slots_);
  std::set<std::tuple<std::uint32_t, std::uint32_t, std::string_view>> seen;
  for (const fb::Slot& raw : slots_) {
    const std::string_view name = name_of(raw.name_offset(), raw.name_size(), &raw);
    total_text += name.size();  // No wrap: stopped where it exceeds the text
    require_own_text(total_text, &raw);
    require_zero(raw.reserved(), &raw, name);
    for (const std::uint32_t node : {raw.owner(), raw.variable(), raw.node()}) {
      if (node >= nodes_.size()) {
        corrupt("a slot of no node", &raw, name, less_than(nodes_.size()), std::to_string(node));
      }
    }
    if (!seen.emplace(raw.owner(), raw.variable(), name).second) corrupt("a slot twice", &raw, name);
    graph.slots.push_back({raw.owner(), raw.variable(), std::string{name}, raw.node()});
  }
}

std::optional<std::uint32_t> IndexView::child(std::uint32_t node, std::string_view name) const {
  const fb::Node& raw = at(nodes_, node);
  if (!base::in_range(raw.first_edge(), raw.edge_count(), edges_.size())) corrupt("edges outside of their pool", &raw);
  // No wrap: together they lie within the edges, and the search stays between them.
  std::size_t first = raw.first_edge();
  std::size_t count = raw.edge_count();  // No wrap: likewise
  while (count > 0) {
    const std::size_t half = count / 2;
    const fb::Edge& edge = at(edges_, first + half);
    const std::string_view found = name_of(edge.name_offset(), edge.name_size(), &edge);
    if (found == name) return edge.node() < nodes_.size() ? std::optional{edge.node()} : std::nullopt;
    if (found < name) {
      first += half + 1;
      count -= half + 1;
    } else {
      count = half;
    }
  }
  return std::nullopt;
}

std::optional<std::size_t> IndexView::find_in_graph(std::string_view path) const {
  if (nodes_.empty() || path.size() > kMaxPathBytes) return std::nullopt;
  std::uint32_t node = 0;
  while (true) {
    const std::size_t slash = path.find('/');
    const auto next = child(node, path.substr(0, slash));
    if (!next) return std::nullopt;
    node = *next;
    if (slash == std::string_view::npos) break;
    path.remove_prefix(slash + 1);
  }
  const std::uint32_t tensor = at(nodes_, node).tensor();
  return tensor < tensors_.size() ? std::optional<std::size_t>{tensor} : std::nullopt;
}

}  // namespace ckpt::format
