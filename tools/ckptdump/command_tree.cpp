// ckptdump tree: parameters and bytes, grouped by the components of the paths.
#include "commands.hpp"
#include "describe.hpp"
#include "input.hpp"
#include "path_tree.hpp"
#include "shared_objects.hpp"
#include "text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <string>
#include <utility>
#include <vector>

namespace ckptdump {
namespace {

// The file's tensors and the further names of its objects. Owns what the tree's names point into.
struct Content {
  ckpt::Reader reader;
  std::vector<SharedPath> shared;
  PathTree tree;
};

// One level more than is shown, to know which of the deepest nodes are lists.
std::size_t built_depth(const Options& options) {
  return options.depth ? *options.depth + 1 : std::numeric_limits<std::size_t>::max();
}

Content load(Context& context, const std::string& file) {
  ckpt::Reader reader = open_checkpoint(file);
  std::vector<SharedPath> shared = shared_paths(reader.graph());
  std::vector<PathTree::Entry> entries;
  entries.reserve(reader.size() + shared.size());
  for_each_selected(context, reader, [&](std::size_t index, const ckpt::TensorInfo& tensor) {
    PathTree::Entry entry{tensor.path, parameters_of(tensor), own_bytes_of(tensor), index, std::nullopt};
    if (tensor.alias_of) entry.link = reader.info(*tensor.alias_of).path;
    entries.push_back(entry);
  });
  for (const SharedPath& path : shared) {
    if (context.filter.selects(path.path)) entries.push_back({.path = path.path, .link = path.target});
  }
  PathTree tree{std::move(entries), built_depth(context.options)};
  return {reader, std::move(shared), std::move(tree)};
}

class TreePrinter {
 public:
  TreePrinter(Context& context, const Content& content)
      : context_{context}, content_{content}, tree_{content.tree}, units_{context.options.units} {}

  void print() {
    measure(0, 0);
    print_children(0, "", 0);
  }

 private:
  static constexpr std::size_t kIndent = 3;  // columns of "├─ "

  bool shows_children_of(std::size_t depth) const { return !context_.options.depth || depth < *context_.options.depth; }

  // Text holds no numbers: "-" rather than 0.
  std::string count_of(const PathTree::Node& node) const {
    if (node.first_child == kNoNode && node.tensor && is_text(content_.reader.info(*node.tensor).dtype)) return "-";
    return format_count(node.parameters, units_);
  }

  std::string name_of(std::uint32_t node) const {
    std::string name = escape(tree_[node].name);
    if (const auto size = tree_.list_size(node)) name += fmt::format(" [{}]", *size);
    return name;
  }

  bool is_link(std::uint32_t node) const { return tree_[node].link && tree_[node].first_child == kNoNode; }

  // Finds the widths of the columns. `depth` is that of `node`; nodes of depth 1 have no lines before them.
  void measure(std::uint32_t node, std::size_t depth) {
    if (!shows_children_of(depth)) return;
    for (auto child = tree_[node].first_child; child != kNoNode; child = tree_[child].next_sibling) {
      if (!is_link(child)) {
        name_width_ = std::max(name_width_, depth * kIndent + display_width(name_of(child)));
        count_width_ = std::max(count_width_, format_count(tree_[child].parameters, units_).size());
        bytes_width_ = std::max(bytes_width_, format_bytes(tree_[child].bytes, units_).size());
      }
      measure(child, depth + 1);
    }
  }

  void print_children(std::uint32_t node, const std::string& prefix, std::size_t depth) {
    if (!shows_children_of(depth) || context_.out.closed()) return;
    const std::vector<std::uint32_t> children = tree_.children(node);
    for (const std::uint32_t child : children) {
      const bool last = child == children.back();
      const std::string_view branch = depth == 0 ? "" : last ? "└─ " : "├─ ";
      print_line(child, prefix, branch, depth);
      const std::string_view below = depth == 0 ? "" : last ? "   " : "│  ";
      print_children(child, prefix + std::string{below}, depth + 1);
    }
  }

  void print_line(std::uint32_t node, const std::string& prefix, std::string_view branch, std::size_t depth) {
    const PathTree::Node& entry = tree_[node];
    const std::string name = name_of(node);
    Output& out = context_.out;
    out.print("{}{}", context_.style.dim(prefix + std::string{branch}), name);
    if (!is_link(node)) {
      const std::size_t used = depth * kIndent + display_width(name);
      out.print("{}  {:>{}}  {:>{}}  {:>7}", spaces(name_width_ - std::min(name_width_, used)), count_of(entry),
                count_width_, format_bytes(entry.bytes, units_), bytes_width_,
                format_percent(entry.bytes, tree_[0].bytes));
    }
    if (entry.link) {
      const std::string target = entry.link->empty() ? "(the root)" : escape(*entry.link);
      out.print("  {}", context_.style.link("-> " + target));
    } else if (entry.tensor) {
      const ckpt::TensorInfo tensor = content_.reader.info(*entry.tensor);
      out.print("  {}", context_.style.dim(dtype_name(tensor) + " " + to_string(tensor.shape)));
    }
    out.write("\n");
  }

  Context& context_;
  const Content& content_;
  const PathTree& tree_;
  Units units_;
  std::size_t name_width_ = 0;
  std::size_t count_width_ = 0;
  std::size_t bytes_width_ = 0;
};

class TreeJson {
 public:
  TreeJson(Context& context, const Content& content)
      : context_{context}, json_{context.json}, content_{content}, tree_{content.tree} {}

  void write() {
    json_.member("parameters", tree_[0].parameters);
    json_.member("bytes", tree_[0].bytes);
    write_children(0, 0);
  }

 private:
  void write_children(std::uint32_t node, std::size_t depth) {
    json_.begin_array("children");
    for (const std::uint32_t child : tree_.children(node)) {
      json_.begin_object();
      write_node(child, depth + 1);
      json_.end();
    }
    json_.end();
  }

  void write_node(std::uint32_t node, std::size_t depth) {
    const PathTree::Node& entry = tree_[node];
    json_.text_member("name", entry.name);
    json_.member("parameters", entry.parameters);
    json_.member("bytes", entry.bytes);
    json_.member("percent", percent(entry.bytes));
    if (const auto size = tree_.list_size(node)) json_.member("list", *size);
    if (entry.link) json_.text_member("same_as", *entry.link);
    if (entry.tensor) {
      json_.begin_object("tensor");
      write_tensor_members(json_, content_.reader, content_.reader.info(*entry.tensor));
      json_.end();
    }
    const bool shown = !context_.options.depth || depth < *context_.options.depth;
    if (shown && entry.first_child != kNoNode) write_children(node, depth);
  }

  double percent(std::uint64_t bytes) const {
    const std::uint64_t whole = tree_[0].bytes;
    return whole == 0 ? 0.0 : 100.0 * static_cast<double>(bytes) / static_cast<double>(whole);
  }

  Context& context_;
  JsonWriter& json_;
  const Content& content_;
  const PathTree& tree_;
};

ExitCode show(Context& context, const std::string& file) {
  const Content content = load(context, file);
  if (context.options.json) {
    TreeJson{context, content}.write();
  } else {
    TreePrinter{context, content}.print();
  }
  return ExitCode::ok;
}

}  // namespace

ExitCode run_tree(Context& context) {
  return run_on_file(context, "tree", "file", [&](const std::string& file) { return show(context, file); });
}

}  // namespace ckptdump
